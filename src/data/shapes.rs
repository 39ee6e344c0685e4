//! The built-in data set: small textured shapes, drawn from a seed, no download.
//!
//! A class is an outline (disc, square, triangle, star, cross) and the texture inside it (striped, checked): ten in all.
//! Position, size, rotation, stretch and every colour are random; some backgrounds have a texture of the same families;
//! fragments lie under and over the shape; brightness, contrast and noise vary. So neither colour nor any fixed pixel says
//! anything about the class, and a network must find an outline and read a fine texture. Shapes tend to be brighter than
//! their backgrounds, which is what lets a small network find them within a few hundred steps.
//!
//! Measured with PyTorch (SGD, batch 64, one-cycle to 0.1, flips): a linear classifier stays at chance (10 % of the test
//! images); six 3x3 convolutions of 8, 8, 16, 16, 32, 32 channels reach 91 % in 8 epochs, 98 % twice as wide.
//!
//! Only `+ - * /`, square root and rounding are used, which every machine computes alike: the images are the same to the
//! bit everywhere. Each image has its own random stream, so they are drawn in parallel and in any order.

mod figure;
mod texture;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::dataset::{CHANNELS, Dataset, Pool};
use super::record::Reading;
use super::stream::stream;
use crate::error::{Error, Result};
use figure::{Figure, Frame};
use texture::{Paint, Pattern};

/// Training images of the built-in set.
pub const TRAIN: usize = 10_000;
/// Test images of the built-in set.
pub const TEST: usize = 2_000;
/// Side in pixels where `data.side` is absent.
pub const SIDE: usize = 32;
/// Below this the textures are finer than a pixel; above it the set no longer is a small one.
const SIDES: std::ops::RangeInclusive<usize> = 16..=128;
/// The built-in set is one fixed data set, as a downloaded one is: studies of different seeds split it differently, and
/// their figures compare.
const SEED: u64 = 10;
/// Test images are drawn from streams that no training image reaches.
const FIRST_TEST: u64 = 1 << 32;

/// The built-in set at `side`, 32 where absent.
///
/// # Errors
/// A side out of range.
pub fn open(side: Option<usize>) -> Result<Dataset> {
    let side = side.unwrap_or(SIDE);
    if !SIDES.contains(&side) {
        return Err(Error::request(format!(
            "data.side: {side} does not suit the built-in shapes, which are drawn {} to {} pixels wide",
            SIDES.start(),
            SIDES.end()
        )));
    }
    generate(SEED, TRAIN, TEST, side)
}

/// Draws `train` and `test` images of `side` by `side` pixels from `seed`; classes take turns.
///
/// # Errors
/// None where the images fit in memory.
pub fn generate(seed: u64, train: usize, test: usize, side: usize) -> Result<Dataset> {
    let pool = |first: u64, images: usize| {
        let mut pixels = vec![0; images * side * side * CHANNELS];
        pixels.par_chunks_exact_mut((side * side * CHANNELS).max(1)).enumerate().for_each(
            |(index, image)| {
                let draw = Draw(stream("shapes", seed, first + index as u64));
                Scene::draw(draw, index % CLASSES, side).render(side, image);
            },
        );
        let labels = (0..images).map(|index| (index % CLASSES) as u16).collect();
        Pool::from_parts((side, side), pixels, labels)
    };
    Ok(Dataset {
        train: pool(0, train)?,
        test: pool(FIRST_TEST, test)?,
        classes: (0..CLASSES).map(class_name).collect(),
        side: (side, side),
        reading: Reading::default(),
        description: format!("built-in textured shapes, {side}x{side}, seed {seed}"),
    })
}

const CLASSES: usize = Figure::ALL.len() * Pattern::OF_CLASSES.len();

/// Outline and texture of a class.
fn class(label: usize) -> (Figure, Pattern) {
    let patterns = Pattern::OF_CLASSES.len();
    (Figure::ALL[label / patterns], Pattern::OF_CLASSES[label % patterns])
}

fn class_name(label: usize) -> String {
    let (figure, pattern) = class(label);
    format!("{} {}", pattern.name(), figure.name())
}

/// Everything an image shows.
struct Scene {
    background: Paint,
    /// Lie under the shape.
    under: Vec<Fragment>,
    figure: Figure,
    frame: Frame,
    fill: Paint,
    /// Lie over the shape.
    over: Vec<Fragment>,
    contrast: f32,
    brightness: f32,
    noise: f32,
    draw: Draw,
}

/// A small piece of some outline in one colour.
struct Fragment {
    figure: Figure,
    frame: Frame,
    colour: [f32; CHANNELS],
}

impl Scene {
    fn draw(mut draw: Draw, label: usize, side: usize) -> Scene {
        let (figure, pattern) = class(label);
        let side = side as f32;
        let background = Paint::of_background(&mut draw, side);
        let radius = side * draw.between(0.23, 0.42);
        let fill = Paint::new(&mut draw, pattern, side, (0.35, 1.0), 0.45);
        let frame = Frame::draw(&mut draw, side, radius, 0.9);
        let mut fragments = |least: usize, most: usize| -> Vec<Fragment> {
            let count = least + draw.below(most - least + 1);
            (0..count).map(|_| Fragment::draw(&mut draw, side)).collect()
        };
        let (under, over) = (fragments(0, 4), fragments(0, 2));
        Scene {
            background,
            under,
            figure,
            frame,
            fill,
            over,
            contrast: draw.between(0.6, 1.0),
            brightness: draw.between(-0.12, 0.12),
            noise: draw.between(0.02, 0.08),
            draw,
        }
    }

    /// Draws the scene into `(H, W, 3)` bytes.
    fn render(mut self, side: usize, image: &mut [u8]) {
        for (index, pixel) in image.as_chunks_mut::<CHANNELS>().0.iter_mut().enumerate() {
            let (x, y) = ((index % side) as f32 + 0.5, (index / side) as f32 + 0.5);
            let mut colour = self.background.colour(x, y);
            for fragment in &self.under {
                fragment.over(&mut colour, x, y);
            }
            let cover = self.frame.cover(self.figure, x, y);
            if cover > 0.0 {
                mix(&mut colour, self.fill.colour(x, y), cover);
            }
            for fragment in &self.over {
                fragment.over(&mut colour, x, y);
            }
            // Sum of two bytes a channel: triangular noise, close enough to a normal one.
            let bits = self.draw.0.next_u64().to_le_bytes();
            for (channel, out) in pixel.iter_mut().enumerate() {
                let grain = (f32::from(bits[2 * channel]) + f32::from(bits[2 * channel + 1])) / 255.0 - 1.0;
                let value = (colour[channel] - 0.5) * self.contrast + 0.5 + self.brightness;
                *out = ((value + grain * 2.0 * self.noise) * 255.0).clamp(0.0, 255.0).round() as u8;
            }
        }
    }
}

impl Fragment {
    fn draw(draw: &mut Draw, side: f32) -> Fragment {
        let figure = Figure::ALL[draw.below(Figure::ALL.len())];
        let radius = side * draw.between(0.05, 0.13);
        Fragment { figure, frame: Frame::draw(draw, side, radius, 0.0), colour: draw.colour() }
    }

    fn over(&self, colour: &mut [f32; CHANNELS], x: f32, y: f32) {
        let cover = self.frame.cover(self.figure, x, y);
        if cover > 0.0 {
            mix(colour, self.colour, cover);
        }
    }
}

/// Lays `top` over `colour` with opacity `share`.
fn mix(colour: &mut [f32; CHANNELS], top: [f32; CHANNELS], share: f32) {
    for (below, above) in colour.iter_mut().zip(top) {
        *below += (above - *below) * share;
    }
}

/// Draws from one image's random stream.
struct Draw(ChaCha8Rng);

impl Draw {
    /// Uniform from 0 to below 1, in steps of 2^-24.
    fn unit(&mut self) -> f32 {
        (self.0.next_u32() >> 8) as f32 / 16_777_216.0
    }

    fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    fn below(&mut self, n: usize) -> usize {
        super::stream::below(self.0.next_u32(), n)
    }

    /// A direction, uniform on the circle: a point of the disc, scaled. No sine, which machines compute differently.
    fn direction(&mut self) -> (f32, f32) {
        loop {
            let (x, y) = (self.between(-1.0, 1.0), self.between(-1.0, 1.0));
            let square = x * x + y * y;
            if (0.01..=1.0).contains(&square) {
                let length = square.sqrt();
                return (x / length, y / length);
            }
        }
    }

    fn colour(&mut self) -> [f32; CHANNELS] {
        std::array::from_fn(|_| self.unit())
    }

    /// Two colours at least `apart` from each other in the mean of their channels' differences.
    fn colours(&mut self, apart: f32) -> [[f32; CHANNELS]; 2] {
        loop {
            let pair = [self.colour(), self.colour()];
            let [a, b] = &pair;
            let distance: f32 = a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum();
            if distance >= apart * CHANNELS as f32 {
                return pair;
            }
        }
    }
}

#[cfg(test)]
#[path = "shapes_tests.rs"]
mod tests;
