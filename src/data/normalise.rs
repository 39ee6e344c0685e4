//! Per-channel normalisation.

use serde::{Deserialize, Serialize};

use super::dataset::CHANNELS;

/// Mean and standard deviation of each channel, pixels counted from 0 to 1: a byte `b` becomes `(b / 255 - mean) / std`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Normalisation {
    pub mean: [f64; CHANNELS],
    /// Population standard deviation over all pixels of all images, 1 where a channel is constant.
    pub std: [f64; CHANNELS],
}

impl Normalisation {
    /// Measures images of `(H, W, 3)` bytes. The sums are integers, so the result is exact whatever the order.
    pub fn measure<'a>(images: impl Iterator<Item = &'a [u8]>) -> Normalisation {
        let (mut count, mut sum, mut squares) = (0u64, [0u64; CHANNELS], [0u64; CHANNELS]);
        for image in images {
            count += (image.len() / CHANNELS) as u64;
            for pixel in image.as_chunks::<CHANNELS>().0 {
                for (channel, &byte) in pixel.iter().enumerate() {
                    sum[channel] += u64::from(byte);
                    squares[channel] += u64::from(byte) * u64::from(byte);
                }
            }
        }
        let (mut mean, mut std) = ([0.0; CHANNELS], [1.0; CHANNELS]);
        for channel in 0..CHANNELS {
            if count == 0 {
                break;
            }
            let n = u128::from(count);
            let (sum, squares) = (u128::from(sum[channel]), u128::from(squares[channel]));
            mean[channel] = sum as f64 / count as f64 / 255.0;
            // count^2 * variance as an integer: no cancellation.
            let spread = n * squares - sum * sum;
            if spread > 0 {
                std[channel] = (spread as f64).sqrt() / count as f64 / 255.0;
            }
        }
        Normalisation { mean, std }
    }

    /// The same as one multiplication and one addition on a byte: `b * scale + shift`.
    pub fn scale_and_shift(&self) -> [(f32, f32); CHANNELS] {
        std::array::from_fn(|channel| {
            ((1.0 / (255.0 * self.std[channel])) as f32, (-self.mean[channel] / self.std[channel]) as f32)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: bytes 0 and 255 have mean 1/2 and deviation 1/2; a constant channel keeps deviation 1.
    #[test]
    fn measures_mean_and_deviation() {
        let images: [&[u8]; 2] = [&[0, 51, 255], &[255, 51, 255]];
        let measured = Normalisation::measure(images.into_iter());
        assert_eq!(measured.mean, [0.5, 0.2, 1.0]);
        assert_eq!(measured.std, [0.5, 1.0, 1.0]);
        let [(scale, shift), ..] = measured.scale_and_shift();
        assert!((255.0 * scale + shift - 1.0).abs() < 1e-6);
        assert_eq!(shift, -1.0);
    }

    #[test]
    fn nothing_measured_changes_nothing_but_the_range() {
        let measured = Normalisation::measure(std::iter::empty());
        assert_eq!((measured.mean, measured.std), ([0.0; 3], [1.0; 3]));
    }
}
