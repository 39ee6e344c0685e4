use super::*;

#[test]
fn classes_take_turns_and_have_names() {
    let data = generate(1, 25, 10, 16).unwrap();
    assert_eq!((data.train.len(), data.test.len(), data.side), (25, 10, (16, 16)));
    assert_eq!(data.train.labels()[..12], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]);
    assert_eq!(data.classes.len(), 10);
    assert_eq!(data.classes[0], "striped disc");
    assert_eq!(data.classes[9], "checked cross");
}

/// A prefix is a prefix: an image depends on the seed and its place alone, not on how many are drawn or by which thread.
#[test]
fn images_are_independent_of_each_other() {
    let few = generate(7, 30, 20, 32).unwrap();
    let more = generate(7, 90, 40, 32).unwrap();
    assert_eq!(few.train.pixels(), &more.train.pixels()[..few.train.pixels().len()]);
    assert_eq!(few.test.pixels(), &more.test.pixels()[..few.test.pixels().len()]);
    assert_ne!(few.train.image(0), few.test.image(0));
    assert_ne!(few.train.image(0), few.train.image(10));
    assert_ne!(few.hash(), generate(8, 30, 20, 32).unwrap().hash());
    let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(alone.install(|| generate(7, 30, 20, 32)).unwrap(), few);
}

/// The whole set is the same on every machine and in every version: reports name this hash.
#[test]
fn the_built_in_set_does_not_change() {
    let data = open(None).unwrap();
    assert_eq!((data.train.len(), data.test.len()), (10_000, 2_000));
    assert_eq!(data.hash(), "96ee1af5cddf2ae20bf9ca1afba05f394c0896a87950f34224b65fafe7eb4a1e");
}

/// Colour alone says nothing: the nearest class mean of (red, green, blue) finds little more than one in ten.
#[test]
fn mean_colour_does_not_tell_the_class() {
    let data = generate(3, 3000, 1000, 32).unwrap();
    let colour = |image: &[u8]| -> [f64; 3] {
        std::array::from_fn(|c| image.iter().skip(c).step_by(3).map(|&b| f64::from(b)).sum::<f64>() / 1024.0)
    };
    let mut means = [[0.0; 3]; 10];
    for row in 0..data.train.len() {
        for (mean, value) in means[row % 10].iter_mut().zip(colour(data.train.image(row))) {
            *mean += value / 300.0;
        }
    }
    let right = (0..data.test.len())
        .filter(|&row| {
            let seen = colour(data.test.image(row));
            let far = |mean: &[f64; 3]| mean.iter().zip(seen).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
            let nearest = (0..10).min_by(|&a, &b| far(&means[a]).total_cmp(&far(&means[b])));
            nearest == Some(row % 10)
        })
        .count();
    assert!(right < 160, "{right} of 1000");
}

#[test]
fn sides_out_of_range_are_refused() {
    assert_eq!(open(Some(48)).unwrap().side, (48, 48));
    for side in [0, 15, 129] {
        assert!(matches!(open(Some(side)), Err(Error::Request(message)) if message.contains("data.side")));
    }
}
