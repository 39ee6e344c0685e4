use std::sync::Arc;

use super::super::fixtures::dataset;
use super::super::normalise::Normalisation;
use super::*;

const PLAIN: Augment = Augment { pad_crop: 0, flip: false };
const FULL: Augment = Augment { pad_crop: 2, flip: true };

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
    let mut writer = RowWriter::new(&split);
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

#[test]
fn padding_beyond_the_image_is_no_panic() {
    let split = split(30, (2, 3));
    for pad_crop in [2, 3, 1000, usize::MAX] {
        let augment = Augment { pad_crop, flip: true };
        read(&mut Batcher::train(&split, 4, 0, augment), 0);
    }
}
