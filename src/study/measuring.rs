//! The latency of a candidate, before its first trial is trained.

use super::event::{Event, Latency};
use super::panics::caught;
use super::queue::Numbered;
use super::worker::{Pool, lock};
use crate::error::{Error, Result};
use crate::text;
use crate::train::contract::TrialTask;

impl Pool<'_> {
    /// Measures the candidate of a trial, where latency is measured and this one is not yet, and tells whether it is to be
    /// trained: not where the study stops, nor where a searched candidate takes longer than it may.
    pub(super) fn is_fit(&self, next: &Numbered, task: &TrialTask) -> Result<bool> {
        if self.latency.is_none() {
            return Ok(true);
        }
        let Some(latency) = self.latency(next.trial, task)? else { return Ok(false) };
        let (trial, most) = (next.trial, self.max_latency.unwrap_or(f64::INFINITY));
        if next.planned.candidate.is_variant || latency.per_image() <= most {
            return Ok(true);
        }
        let reason = format!(
            "not trained: an image takes {}, and search.constraints.latency is at most {}",
            text::time(latency.per_image()),
            text::time(most)
        );
        self.record(vec![Event::TrialRejected { trial, reason }])?;
        Ok(false)
    }

    /// The latency that the journal has of a candidate, or else a new one; `None` where the study stops.
    fn latency(&self, trial: usize, task: &TrialTask) -> Result<Option<Latency>> {
        let known = || lock(&self.written).1.latencies.get(&task.candidate_hash).copied();
        let (Some(config), None) = (&self.latency, known()) else { return Ok(known()) };
        let measured = self.quiet.measure(
            || self.halted(),
            || {
                // Another seed may have come first.
                if let Some(known) = known() {
                    return Ok(Some(known));
                }
                let measured = caught(|| self.trainer.latency(task, config, &|| self.halted()));
                let measured = measured.unwrap_or_else(|panic| {
                    Err(Error::run(format!("measuring the latency of trial {trial} {panic}")))
                })?;
                if let Some(latency) = measured {
                    self.record(vec![Event::LatencyMeasured { trial, latency }])?;
                }
                Ok(measured)
            },
        );
        measured.unwrap_or(Ok(None))
    }
}
