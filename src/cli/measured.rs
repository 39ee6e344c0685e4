//! Trials side by side, measured: how long a step takes, and which way of sharing the cores trains most images.

use std::thread;
use std::time::Duration;

use super::shares::Shares;
use crate::arch::Network;
use crate::config::Precision;
use crate::cost;
use crate::engine::measure::{self, Settings, Work};
use crate::error::{Error, Result};
use crate::report::format::counted;

/// A step is measured on fewer images where it would take much longer than this.
const STEP: f64 = 1.0;
/// Multiply-adds that one thread does in a second, about: for the choice of how many images, no more.
const SPEED: f64 = 1e10;
/// Fewer trials at once are chosen where they train so many times the images: what is within it may be noise, and more
/// trials at once end more evenly.
const FASTER: f64 = 1.05;

/// What is measured.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a> {
    pub network: &'a Network,
    pub work: Work,
    /// Images of a step; fewer are taken of a network that needs long for so many.
    pub batch: usize,
    pub precision: Precision,
}

/// Seconds of a step for one image: the median of a warm step, the mean over `jobs` trials that run it at once on `threads`
/// threads each.
///
/// # Errors
/// A system that gives no threads.
pub fn seconds_per_image(step: Step<'_>, jobs: usize, threads: usize) -> Result<f64> {
    let Step { network, work, batch, precision } = step;
    let per_image = seconds(network) / threads as f64;
    let images = batch.min((STEP / per_image) as usize).max(2);
    let settings = Settings {
        work,
        batch: images,
        threads,
        precision,
        warmup: 1,
        repeats: 1,
        at_least: Duration::from_millis(200),
        layers: false,
    };
    let one = || measure::measure(network, &settings).map(|measured| measured.median());
    let all: Vec<Result<f64>> = thread::scope(|scope| {
        let running: Vec<_> = (0..jobs.max(1)).map(|_| scope.spawn(one)).collect();
        let panicked = || Err(Error::run("a measured step panicked: this is a mistake in blocksmith"));
        running.into_iter().map(|job| job.join().unwrap_or_else(|_| panicked())).collect()
    });
    let all = all.into_iter().collect::<Result<Vec<f64>>>()?;
    Ok(all.iter().sum::<f64>() / (all.len() * images) as f64)
}

/// Seconds to train one image on one thread, about.
pub fn seconds(network: &Network) -> f64 {
    3.0 * cost::of(network).madds.max(1) as f64 / SPEED
}

/// Of the ways to share `cores` among up to as many trials as `shares` says, the one that trains most images of `step` in a second.
///
/// # Errors
/// A system that gives no threads.
pub fn fastest(step: Step<'_>, cores: usize, shares: Shares) -> Result<Shares> {
    let mut measured = Vec::new();
    for (jobs, threads) in ways(cores, shares.jobs) {
        measured.push((jobs, threads, jobs as f64 / seconds_per_image(step, jobs, threads)?));
    }
    let (jobs, threads) = choose(&measured);
    let told: Vec<String> =
        measured.iter().map(|(jobs, threads, speed)| format!("{jobs} x {threads}: {speed:.0}")).collect();
    let notice = format!(
        "{} at once, {} each: measured, trials x threads train {} images a second",
        counted(jobs, "trial"),
        counted(threads, "thread"),
        told.join(", ")
    );
    let notices = shares.notices.into_iter().chain([notice]).collect();
    Ok(Shares { jobs, threads, notices, ..shares })
}

/// Most trials first.
fn ways(cores: usize, most: usize) -> Vec<(usize, usize)> {
    let mut ways = vec![(most, (cores / most).max(1))];
    let mut jobs = most;
    while jobs > 1 {
        jobs /= 2;
        ways.push((jobs, cores / jobs));
    }
    ways
}

/// The fastest of (trials, threads, images per second), with more trials where they are as good.
fn choose(measured: &[(usize, usize, f64)]) -> (usize, usize) {
    let mut best: Option<(usize, usize, f64)> = None;
    for way in measured {
        if best.is_none_or(|(.., speed)| way.2 > speed * FASTER) {
            best = Some(*way);
        }
    }
    best.map_or((1, 1), |(jobs, threads, _)| (jobs, threads))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_are_halved_among_fewer_and_fewer_trials() {
        assert_eq!(ways(8, 8), [(8, 1), (4, 2), (2, 4), (1, 8)]);
        assert_eq!(ways(8, 5), [(5, 1), (2, 4), (1, 8)]);
        assert_eq!(ways(2, 2), [(2, 1), (1, 2)]);
        assert_eq!(ways(4, 1), [(1, 4)]);
    }

    #[test]
    fn fewer_trials_at_once_must_be_clearly_faster() {
        assert_eq!(choose(&[(8, 1, 100.0), (4, 2, 104.0), (2, 4, 90.0), (1, 8, 80.0)]), (8, 1));
        assert_eq!(choose(&[(8, 1, 100.0), (4, 2, 106.0), (2, 4, 108.0), (1, 8, 120.0)]), (1, 8));
        assert_eq!(choose(&[(8, 1, 50.0), (4, 2, 106.0), (2, 4, 108.0), (1, 8, 60.0)]), (4, 2));
    }
}
