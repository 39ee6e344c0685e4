//! The learning rate of a step.

use crate::config::{Schedule, TrainConfig};

/// Learning rate of step `step` (counted from 0 over all epochs) where an epoch has `per_epoch` steps.
///
/// During warm-up it rises linearly and reaches `lr` at the last warm-up step; after it the schedule runs, its epochs
/// counted from the start of training (step, exponential) or over what is left (cosine).
pub fn learning_rate(config: &TrainConfig, step: usize, per_epoch: usize) -> f64 {
    let per_epoch = per_epoch.max(1);
    let warmup = (config.warmup * per_epoch as f64).round() as usize;
    if step < warmup {
        return config.lr * (step + 1) as f64 / warmup as f64;
    }
    let epoch = step / per_epoch;
    let factor = match &config.schedule {
        Schedule::Constant => 1.0,
        Schedule::Cosine => {
            let left = (config.epochs * per_epoch).saturating_sub(warmup).max(1);
            let done = (step - warmup) as f64 / left as f64;
            0.5 * (1.0 + (std::f64::consts::PI * done.min(1.0)).cos())
        }
        Schedule::Step { milestones, gamma } => {
            let passed = milestones.iter().filter(|&&milestone| milestone <= epoch).count();
            gamma.powi(passed as i32)
        }
        Schedule::Exponential { gamma } => gamma.powi(epoch as i32),
    };
    config.lr * factor
}

/// Whether the learning rates of the first epochs are the same however many follow, so that training can go on.
pub fn goes_on(schedule: &Schedule) -> bool {
    match schedule {
        Schedule::Constant | Schedule::Step { .. } | Schedule::Exponential { .. } => true,
        Schedule::Cosine => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(schedule: Schedule, warmup: f64) -> TrainConfig {
        TrainConfig {
            epochs: 10,
            batch: 32,
            lr: 0.1,
            momentum: 0.9,
            nesterov: false,
            weight_decay: 0.0,
            decay_norm_and_bias: false,
            warmup,
            schedule,
            label_smoothing: 0.0,
            drop_last: None,
            precision: Default::default(),
            weights: None,
            classifier: Default::default(),
            timeout: None,
        }
    }

    fn rates(config: &TrainConfig, steps: &[usize]) -> Vec<f64> {
        steps.iter().map(|&step| (learning_rate(config, step, 10) * 1e6).round() / 1e6).collect()
    }

    #[test]
    fn a_schedule_goes_on_where_more_epochs_change_no_rate() {
        let step = Schedule::Step { milestones: vec![3, 6], gamma: 0.1 };
        for schedule in [Schedule::Constant, Schedule::Cosine, step, Schedule::Exponential { gamma: 0.5 }] {
            let short = config(schedule.clone(), 1.5);
            let long = TrainConfig { epochs: 20, ..short.clone() };
            let all: Vec<usize> = (0..100).collect();
            assert_eq!(rates(&short, &all) == rates(&long, &all), goes_on(&schedule), "{schedule:?}");
        }
    }

    /// Closed forms, at lr 0.1 and 10 steps an epoch.
    #[test]
    fn schedules_follow_their_closed_forms() {
        assert_eq!(rates(&config(Schedule::Constant, 0.0), &[0, 99]), [0.1, 0.1]);
        assert_eq!(rates(&config(Schedule::Constant, 2.0), &[0, 9, 19, 20]), [0.005, 0.05, 0.1, 0.1]);
        assert_eq!(rates(&config(Schedule::Cosine, 0.0), &[0, 50, 100]), [0.1, 0.05, 0.0]);
        assert_eq!(rates(&config(Schedule::Cosine, 5.0), &[50, 75]), [0.1, 0.05]);
        let step = Schedule::Step { milestones: vec![3, 6], gamma: 0.1 };
        assert_eq!(rates(&config(step, 0.0), &[29, 30, 60]), [0.1, 0.01, 0.001]);
        let exponential = Schedule::Exponential { gamma: 0.5 };
        assert_eq!(rates(&config(exponential, 0.0), &[9, 10, 20]), [0.1, 0.05, 0.025]);
    }
}
