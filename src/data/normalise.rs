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

/// The least deviation that is not a mistake: less than a step of a byte is a deviation that was divided by 255 twice.
const LEAST: f64 = 1.0 / 255.0;

/// Which of `mean` and `std` is wrong, and a clause that says why with the remedy.
pub type Wrong = (&'static str, String);

impl Normalisation {
    /// From numbers that a user gives.
    ///
    /// # Errors
    /// The one of the two that is wrong, `mean` or `std`, with what is wrong and the remedy.
    pub fn given(mean: [f64; CHANNELS], std: [f64; CHANNELS]) -> Result<Normalisation, Wrong> {
        let normalisation = Normalisation::of_unit_scale(mean, std)?;
        let Some(small) = std.iter().find(|std| **std < LEAST) else { return Ok(normalisation) };
        let message = format!(
            "{small} is less than one step of a byte, 1/255, so it was divided by 255 twice, or is a variance: give the \
             deviation of pixels counted from 0 to 1, such as 0.229"
        );
        Err(("std", message))
    }

    /// From numbers that a file gives, which may have been measured on images that hardly vary.
    ///
    /// # Errors
    /// As [`given`](Self::given): numbers of the scale from 0 to 255 most of all.
    pub fn of_unit_scale(mean: [f64; CHANNELS], std: [f64; CHANNELS]) -> Result<Normalisation, Wrong> {
        if let Some(beyond) = mean.iter().find(|mean| !(0.0..=1.0).contains(*mean)) {
            return Err(("mean", beyond_one(*beyond, mean)));
        }
        if let Some(none) = std.iter().find(|std| std.is_nan() || **std <= 0.0) {
            return Err(("std", format!("{none} is no standard deviation, which is above 0")));
        }
        match std.iter().find(|std| **std > 1.0) {
            Some(beyond) => Err(("std", beyond_one(*beyond, std))),
            None => Ok(Normalisation { mean, std }),
        }
    }

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

fn beyond_one(beyond: f64, all: [f64; CHANNELS]) -> String {
    let scaled = all.map(|value| format!("{:.3}", value / 255.0)).join(",");
    let remedy = if (1.0..=255.0).contains(&beyond) {
        format!(": of bytes from 0 to 255 it must be divided by 255 ({scaled})")
    } else {
        ": give numbers such as 0.485,0.456,0.406".to_owned()
    };
    format!("{beyond} is outside 0 to 1, the scale on which pixels are counted{remedy}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of ImageNet as torchvision gives them, and on the scale of bytes as Caffe and mmcv do.
    #[test]
    fn numbers_of_another_scale_are_refused() {
        let (mean, std) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
        assert_eq!(Normalisation::given(mean, std), Ok(Normalisation { mean, std }));
        assert!(Normalisation::given([0.0; 3], [1.0; 3]).is_ok(), "no normalisation");
        let refused = |mean, std| {
            let (which, why) = Normalisation::given(mean, std).unwrap_err();
            format!("{which}: {why}")
        };
        assert_eq!(
            refused([123.675, 116.28, 103.53], std),
            "mean: 123.675 is outside 0 to 1, the scale on which pixels are counted: of bytes from 0 to 255 it must be divided \
             by 255 (0.485,0.456,0.406)"
        );
        assert!(refused(mean, [58.395, 57.12, 57.375]).ends_with("divided by 255 (0.229,0.224,0.225)"));
        assert!(refused([0.485, 116.28, 0.406], std).starts_with("mean: 116.28 is outside"));
        assert!(refused([-0.1, 0.4, 0.4], std).contains("-0.1 is outside 0 to 1"));
        assert!(refused([f64::NAN, 0.4, 0.4], std).contains("outside 0 to 1"));
        assert!(refused(mean, [0.2, 0.0, 0.2]).starts_with("std: 0 is no standard deviation"));
        assert!(refused(mean, [0.2, f64::NAN, 0.2]).starts_with("std: NaN is no standard deviation"));
        assert!(refused(mean, [300.0; 3]).ends_with("give numbers such as 0.485,0.456,0.406"));
        assert!(refused(mean, std.map(|std| std / 255.0)).contains("divided by 255 twice"));
    }

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
