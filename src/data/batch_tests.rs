use std::sync::Arc;

use super::super::dataset::Pool;
use super::super::fixtures::dataset;
use super::super::normalise::Normalisation;
use super::*;

const PLAIN: Augment = Augment::OFF;
const FULL: Augment = Augment { pad_crop: 2, ..Augment::USUAL };

fn split(images: usize, side: (usize, usize)) -> Split {
    let data = dataset(side, &[images - images / 2, images / 2], &[1, 1]);
    let normalisation = Normalisation { mean: [0.4, 0.5, 0.6], std: [0.2, 0.25, 0.3] };
    let rows = (0..images as u32).collect();
    Split::new(Arc::new(data.train), rows, side, normalisation)
}

/// All batches of an epoch: the images, the labels, and the sizes.
fn read(batcher: &mut Batcher, epoch: u64) -> (Vec<f32>, Vec<u32>, Vec<usize>) {
    let (mut x, mut y) = (vec![9.0; 7], vec![9; 3]);
    let (mut xs, mut ys, mut sizes) = (Vec::new(), Vec::new(), Vec::new());
    batcher.epoch(epoch);
    let (images, batches) = (batcher.images(), batcher.batches());
    while batcher.next_batch(&mut x, &mut y) {
        xs.extend_from_slice(&x);
        ys.extend_from_slice(&y);
        sizes.push(y.len());
    }
    assert!(x.is_empty() && y.is_empty());
    assert!(!batcher.next_batch(&mut x, &mut y), "the end stays the end");
    assert_eq!((sizes.iter().sum::<usize>(), sizes.len()), (images, batches));
    (xs, ys, sizes)
}

/// `(byte / 255 - mean) / std`, as torchvision's `Normalize` after `ToTensor`.
fn normalised(split: &Split, index: usize) -> Vec<f32> {
    let Normalisation { mean, std } = split.normalisation();
    let value = |(i, &byte): (usize, &u8)| ((f64::from(byte) / 255.0 - mean[i % 3]) / std[i % 3]) as f32;
    split.image(index).iter().enumerate().map(value).collect()
}

/// Pads a normalised image with zeros, crops it at (top, left) of the padded one, then mirrors it: word for word.
fn naive(
    image: &[f32],
    (height, width): (usize, usize),
    pad: usize,
    top: usize,
    left: usize,
    flip: bool,
) -> Vec<f32> {
    let wide = width + 2 * pad;
    let mut padded = vec![[0.0; 3]; (height + 2 * pad) * wide];
    for y in 0..height {
        for x in 0..width {
            let at = (y * width + x) * 3;
            padded[(y + pad) * wide + x + pad] = [image[at], image[at + 1], image[at + 2]];
        }
    }
    let mut out = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let x = if flip { width - 1 - x } else { x };
            out.extend(padded[(y + top) * wide + x + left]);
        }
    }
    out
}

fn close(a: &[f32], b: &[f32]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5)
}

#[test]
fn evaluation_is_everything_in_order() {
    let split = split(11, (3, 4));
    let mut batcher = Batcher::eval(&split, 4);
    for _ in 0..2 {
        let (x, y, sizes) = read(&mut batcher, 0);
        assert_eq!(sizes, [4, 4, 3]);
        let expected: Vec<f32> = (0..11).flat_map(|i| normalised(&split, i)).collect();
        assert!(close(&x, &expected));
        assert_eq!(y, (0..11).map(|i| split.label(i)).collect::<Vec<_>>());
    }
}

#[test]
fn every_view_equals_a_naive_one() {
    let side = (4, 5);
    let split = split(2, side);
    let mut writer = RowWriter::new(&split, Pad::Zero);
    let image = normalised(&split, 1);
    for pad in 0..=4isize {
        for top in -pad..=pad {
            for left in -pad..=pad {
                for flip in [false, true] {
                    let mut out = vec![7.0; image.len()];
                    writer.write(split.image(1), View { top, left, flip }, &mut out);
                    let (t, l) = ((top + pad) as usize, (left + pad) as usize);
                    let expected = naive(&image, side, pad as usize, t, l, flip);
                    assert!(close(&out, &expected), "top {top}, left {left}, flip {flip}");
                }
            }
        }
    }
}

/// NumPy 2.4.6: `np.pad` of the normalised image with zeros, or of the bytes with `constant` (black) or `reflect`; then cropped, flipped
/// by `[:, ::-1]` and, of bytes, normalised last, in the order of torchvision's `RandomCrop(padding=2)`, `RandomHorizontalFlip`,
/// `ToTensor`, `Normalize`. Given are the sum of the values, their sum weighted by their places counted from 1, and the first pixel.
#[test]
fn paddings_are_those_of_numpy() {
    let (height, width) = (4, 5);
    let byte = |i: usize| ((37 * (i / 15) + 53 * (i / 3 % 5) + 91 * (i % 3) + 11) % 256) as u8;
    let pool = Pool::from_parts((height, width), (0..60).map(byte).collect(), vec![0]).unwrap();
    let normalisation = Normalisation { mean: [0.4, 0.5, 0.7], std: [0.2, 0.25, 0.3] };
    let split = Split::new(Arc::new(pool), vec![0], (height, width), normalisation);
    for ((top, left, flip), pad, (sum, weighted), first) in [
        ((-2, 1, false), Pad::Zero, (-2.039216, -118.227451), [0.000000, 0.000000, 0.000000]),
        ((-2, 1, false), Pad::Black, (-78.039216, -1756.227451), [-2.000000, -2.000000, -2.333333]),
        ((-2, 1, false), Pad::Reflect, (-1.652288, -210.831373), [0.705882, 1.592157, -1.496732]),
        ((1, -2, true), Pad::Zero, (-1.488889, -67.870588), [1.019608, 1.843137, -1.287582]),
        ((1, -2, true), Pad::Black, (-71.155556, -2794.870588), [1.019608, 1.843137, -1.287582]),
        ((1, -2, true), Pad::Reflect, (-2.499346, -166.125490), [1.019608, 1.843137, -1.287582]),
        ((2, 2, true), Pad::Zero, (-1.562092, -48.368627), [0.000000, 0.000000, 0.000000]),
        ((2, 2, true), Pad::Black, (-90.228758, -3213.368627), [-2.000000, -2.000000, -2.333333]),
        ((2, 2, true), Pad::Reflect, (2.562092, 61.058824), [1.745098, -1.592157, -0.803922]),
    ] {
        let mut out = vec![7.0; 60];
        RowWriter::new(&split, pad).write(split.image(0), View { top, left, flip }, &mut out);
        let values = || out.iter().map(|value| f64::from(*value));
        let by_place: f64 = (1..).zip(values()).map(|(place, value)| f64::from(place) * value).sum();
        assert!(
            (values().sum::<f64>() - sum).abs() < 1e-4,
            "{pad:?} {top} {left}: {}",
            values().sum::<f64>()
        );
        assert!((by_place - weighted).abs() < 2e-3, "{pad:?} {top} {left}: {by_place}");
        assert!(close(&out[..3], &first), "{pad:?} {top} {left}: {:?}", &out[..3]);
    }
}

/// Whatever the view, black is what zeros would be before normalisation, and where no padding is seen all paddings are one.
#[test]
fn every_view_of_every_padding_equals_a_naive_one() {
    let side = (4, 5);
    let split = split(2, side);
    let bytes: Vec<f32> = split.image(1).iter().map(|byte| f32::from(*byte)).collect();
    for pad in 0..=3isize {
        let shifts = || (-pad..=pad).flat_map(|top| (-pad..=pad).map(move |left| (top, left)));
        for ((top, left), flip) in shifts().flat_map(|shift| [(shift, false), (shift, true)]) {
            let mut out = vec![7.0; 60];
            let mut write = |pad| {
                RowWriter::new(&split, pad).write(split.image(1), View { top, left, flip }, &mut out);
                out.clone()
            };
            let (t, l) = ((top + pad) as usize, (left + pad) as usize);
            let black = naive(&bytes, side, pad as usize, t, l, flip);
            assert!(close(&write(Pad::Black), &as_normalised(&split, &black)), "black {top} {left} {flip}");
            let mut reflected = Vec::new();
            for y in 0..side.0 as isize {
                for x in 0..side.1 as isize {
                    let x = if flip { side.1 as isize - 1 - x } else { x };
                    let beyond = |at: isize, n: usize| {
                        let period = 2 * (n as isize - 1);
                        let at = at.rem_euclid(period);
                        at.min(period - at) as usize
                    };
                    let at = 3 * (beyond(y + top, side.0) * side.1 + beyond(x + left, side.1));
                    reflected.extend_from_slice(&bytes[at..at + 3]);
                }
            }
            assert!(close(&write(Pad::Reflect), &as_normalised(&split, &reflected)), "{top} {left} {flip}");
        }
    }
}

fn as_normalised(split: &Split, bytes: &[f32]) -> Vec<f32> {
    let channels = split.normalisation().scale_and_shift();
    bytes.iter().zip(channels.iter().cycle()).map(|(byte, (scale, shift))| byte * scale + shift).collect()
}

/// Each training image is one of the views of a source image, and over epochs all views come, about equally often.
#[test]
fn draws_cover_all_views_evenly() {
    let mut draws = stream("augment", 5, 0);
    let mut seen = std::collections::BTreeMap::new();
    for _ in 0..50_000 {
        let View { top, left, flip } = View::draw(&FULL, &mut draws);
        *seen.entry((top, left, flip)).or_insert(0) += 1;
    }
    assert_eq!(seen.len(), 5 * 5 * 2);
    // 1,000 expected each, deviation 31: five deviations.
    assert!(seen.values().all(|&n| (845..1155).contains(&n)), "{seen:?}");
    let mut draws = stream("augment", 5, 0);
    assert!((0..100).all(|_| View::draw(&PLAIN, &mut draws) == View::WHOLE));
}

#[test]
fn training_batches_depend_on_seed_and_epoch_alone() {
    let split = split(40, (6, 6));
    let fresh = |seed, epoch| read(&mut Batcher::train(&split, 8, seed, FULL), epoch);
    let mut used = Batcher::train(&split, 8, 1, FULL);
    let (mut x, mut y) = (Vec::new(), Vec::new());
    used.next_batch(&mut x, &mut y);
    for epoch in [3, 0, 1] {
        assert_eq!(read(&mut used, epoch), fresh(1, epoch), "whatever was read before");
    }
    assert_ne!(fresh(1, 0).0, fresh(1, 1).0);
    assert_ne!(fresh(1, 0).0, fresh(2, 0).0);
    // The order is the same with and without augmentation.
    let plain = read(&mut Batcher::train(&split, 8, 1, PLAIN), 2);
    assert_eq!(plain.1, fresh(1, 2).1);
    let mut sorted: Vec<Vec<u32>> =
        plain.0.chunks(108).map(|i| i.iter().map(|v| v.to_bits()).collect()).collect();
    let mut all: Vec<Vec<u32>> = {
        let whole = read(&mut Batcher::eval(&split, 64), 0).0;
        whole.chunks(108).map(|i| i.iter().map(|v| v.to_bits()).collect()).collect()
    };
    sorted.sort();
    all.sort();
    assert_eq!(sorted, all, "every image once, unchanged");
}

#[test]
fn short_training_batches_follow_the_rule() {
    for (images, batch, sizes) in [
        (10, 4, vec![4, 4, 2]),
        (9, 4, vec![4, 4]),
        (11, 5, vec![5, 5]),
        (13, 5, vec![5, 5, 3]),
        (12, 5, vec![5, 5]),
        (8, 4, vec![4, 4]),
        (3, 2, vec![2]),
        (3, 100, vec![3]),
        (2, 1, vec![1, 1]),
        (2, 0, vec![1, 1]),
    ] {
        let split = split(images, (2, 2));
        let read = read(&mut Batcher::train(&split, batch, 0, PLAIN), 0);
        assert_eq!(read.2, sizes, "{images} images in batches of {batch}");
    }
}

/// As PyTorch's `DataLoader` has them: `len(loader)` is `images // batch` with `drop_last`, and `ceil(images / batch)` without.
#[test]
fn a_short_last_batch_is_left_out_or_taken_as_asked() {
    for (images, batch, dropped, taken) in [
        (10, 4, vec![4, 4], vec![4, 4, 2]),
        (9, 4, vec![4, 4], vec![4, 4, 1]),
        (8, 4, vec![4, 4], vec![4, 4]),
        (3, 4, vec![], vec![3]),
    ] {
        let split = split(images, (2, 2));
        let sizes = |drop| read(&mut Batcher::train(&split, batch, 0, PLAIN).with_last(Some(drop)), 0).2;
        assert_eq!((sizes(true), sizes(false)), (dropped, taken), "{images} images in batches of {batch}");
        // Which images come first does not depend on it.
        let first = |drop| read(&mut Batcher::train(&split, batch, 0, PLAIN).with_last(drop), 0).1;
        assert!(first(Some(false)).starts_with(&first(None)) && first(None).starts_with(&first(Some(true))));
    }
}

#[test]
fn padding_beyond_the_image_is_no_panic() {
    let split = split(30, (2, 3));
    for pad in [Pad::Zero, Pad::Black, Pad::Reflect] {
        for pad_crop in [2, 3, 1000, usize::MAX] {
            let augment = Augment { pad_crop, flip: true, pad };
            read(&mut Batcher::train(&split, 4, 0, augment), 0);
        }
    }
}
