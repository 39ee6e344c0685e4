use super::super::fixtures::dataset;
use super::*;

fn counts(rows: &[u32], pool: &Pool, classes: usize) -> Vec<usize> {
    let mut counts = vec![0; classes];
    for &row in rows {
        counts[usize::from(pool.labels()[row as usize])] += 1;
    }
    counts
}

fn limit(train: usize, validation: usize, test: usize) -> Limit {
    let some = |n| (n > 0).then_some(n);
    Limit { train: some(train), validation: some(validation), test: some(test) }
}

/// Hamilton's method by hand: 7 of (6, 3, 1) is 4.2, 2.1, 0.7, so the third class gets the seat left over.
#[test]
fn shares_are_largest_remainders() {
    assert_eq!(shares(&[6, 3, 1], 7), [4, 2, 1]);
    assert_eq!(shares(&[5, 5, 5], 4), [2, 1, 1]);
    assert_eq!(shares(&[5, 0, 5], 4), [2, 0, 2]);
    assert_eq!(shares(&[2, 3], 5), [2, 3]);
    assert_eq!(shares(&[2, 3], usize::MAX), [2, 3]);
    assert!(shares(&[], 3).is_empty());
}

#[test]
fn hold_out_is_stratified_and_disjoint() {
    let data = dataset((2, 2), &[50, 30, 20], &[4, 4, 4]);
    for validation in [0.1, 10.0] {
        let rows = rows(&data, validation, &Limit::default(), 1).unwrap();
        assert_eq!(counts(&rows.validation, &data.train, 3), [5, 3, 2]);
        assert_eq!(counts(&rows.train, &data.train, 3), [45, 27, 18]);
        let mut all: Vec<u32> = rows.train.iter().chain(&rows.validation).copied().collect();
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<_>>());
        assert_eq!(rows.test, (0..12).collect::<Vec<_>>());
        assert!(rows.train.is_sorted());
    }
}

#[test]
fn the_seed_alone_decides() {
    let data = dataset((1, 1), &[40, 40], &[10, 10]);
    let draw = |seed| rows(&data, 0.25, &limit(20, 8, 6), seed).unwrap();
    assert_eq!(draw(3), draw(3));
    assert_ne!(draw(3).validation, draw(4).validation);
    assert_ne!(draw(3).test, draw(4).test);
}

#[test]
fn limits_are_stratified_subsets() {
    let data = dataset((1, 1), &[40, 40], &[10, 10]);
    let whole = rows(&data, 0.25, &Limit::default(), 3).unwrap();
    let large = rows(&data, 0.25, &limit(40, 10, 8), 3).unwrap();
    let small = rows(&data, 0.25, &limit(20, 4, 2), 3).unwrap();
    assert_eq!(counts(&small.train, &data.train, 2), [10, 10]);
    assert_eq!(counts(&small.validation, &data.train, 2), [2, 2]);
    assert_eq!(counts(&small.test, &data.test, 2), [1, 1]);
    for (inner, outer) in [(&small, &large), (&large, &whole)] {
        assert!(inner.train.iter().all(|row| outer.train.contains(row)));
        assert!(inner.validation.iter().all(|row| outer.validation.contains(row)));
        assert!(inner.test.iter().all(|row| outer.test.contains(row)));
    }
    let beyond = rows(&data, 0.25, &limit(1000, 1000, 1000), 3).unwrap();
    assert_eq!(beyond, whole);
}

#[test]
fn impossible_splits_are_refused() {
    let data = dataset((1, 1), &[40, 40], &[10, 10]);
    let refusal = |validation: f64, limit: Limit| match rows(&data, validation, &limit, 0) {
        Err(Error::Request(message)) => message,
        other => panic!("not refused: {other:?}"),
    };
    for (validation, says) in [
        (0.0, "holds out no image"),
        (-0.1, "holds out no image"),
        (f64::NAN, "holds out no image"),
        (f64::INFINITY, "holds out no image"),
        (2.5, "nor a whole number"),
        (0.001, "holds 0 images"),
        (0.9999, "holds 80 images out of 80"),
        (80.0, "holds 80 images out of 80"),
        (1e18, "both training and validation need some"),
    ] {
        let message = refusal(validation, Limit::default());
        assert!(message.contains(says) && message.contains("data.validation"), "{message}");
    }
    assert!(refusal(0.1, limit(1, 0, 0)).contains("data.limit.train: 1 is less than one image"));
    assert!(refusal(0.1, limit(0, 1, 0)).contains("data.limit.validation"));
    assert!(refusal(0.1, limit(0, 0, 1)).contains("data.limit.test"));
    let uneven = dataset((1, 1), &[99, 1], &[1, 1]);
    let message = rows(&uneven, 99.0, &Limit::default(), 0).unwrap_err().to_string();
    // 99 of (99, 1) is 98.01 and 0.99: the rare class has the larger remainder, so its one image would go.
    assert!(message.contains("leaves no training image of class `c1`"), "{message}");
}

#[test]
fn a_label_without_a_class_is_an_error() {
    let mut data = dataset((1, 1), &[4, 4], &[2, 2]);
    data.classes.pop();
    let message = rows(&data, 0.5, &Limit::default(), 0).unwrap_err().to_string();
    assert_eq!(message, "image 1 has label 1, and there are 1 classes");
}
