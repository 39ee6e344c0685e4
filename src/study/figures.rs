//! Figures that cannot be: what a line says must lie within what it measures.

use super::event::{CandidateRecord, EpochMetrics, Event, Latency, Metrics, TrialResult};

type Checked = Result<(), String>;

/// Looks at the figures of an event by themselves.
///
/// # Errors
/// A clause for the user that names the figure.
pub fn check(event: &Event) -> Checked {
    match event {
        Event::TrialQueued { candidate, until, .. } => {
            rung(*until)?;
            costs(candidate)
        }
        Event::TrialContinued { until, .. } => rung(*until),
        Event::LatencyMeasured { latency, .. } => measured(latency),
        Event::EpochFinished { epoch, .. } => {
            let EpochMetrics { epoch, lr, train, validation, seconds: time } = epoch;
            holds(*epoch > 0, || "epochs count from 1, and this is epoch 0".into())?;
            holds(lr.is_finite() && *lr >= 0.0, || format!("a learning rate of {lr}"))?;
            metrics("training", train)?;
            metrics("validation", validation)?;
            seconds(*time)
        }
        Event::SearchTimedOut { seconds: time } => seconds(*time),
        Event::TrialFinished { result, .. } | Event::TrialTimedOut { result, .. } => {
            let TrialResult { epochs, train, validation, seconds: time } = result;
            holds(*epochs > 0, || "a trial that finished without an epoch".into())?;
            metrics("training", train)?;
            metrics("validation", validation)?;
            seconds(*time)
        }
        Event::TestEvaluated { test, .. } => metrics("test", test),
        _ => Ok(()),
    }
}

fn holds(holds: bool, why: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(why()) }
}

fn rung(until: Option<usize>) -> Checked {
    holds(until != Some(0), || "a trial that stops after 0 epochs".into())
}

/// Costs that can be no whole number.
fn costs(candidate: &CandidateRecord) -> Checked {
    let adapted = candidate.adapted.iter().flat_map(|adapted| [adapted.cost_before, adapted.cost]);
    for cost in adapted {
        holds(cost.is_finite() && cost >= 0.0, || format!("a cost of {cost}"))?;
    }
    Ok(())
}

fn metrics(what: &str, metrics: &Metrics) -> Checked {
    let Metrics { loss, accuracy, .. } = *metrics;
    holds(accuracy.is_nan() || (0.0..=100.0).contains(&accuracy), || {
        format!("a {what} accuracy of {accuracy} %, which is not between 0 and 100")
    })?;
    holds(loss.is_nan() || loss >= 0.0, || format!("a {what} loss of {loss}, which is below 0"))
}

fn seconds(seconds: f64) -> Checked {
    holds(seconds.is_finite() && seconds >= 0.0, || format!("a time of {seconds} seconds"))
}

fn measured(latency: &Latency) -> Checked {
    let Latency { median, mad, floor, batch, threads, rounds, reference, .. } = *latency;
    for time in [median, mad, floor, reference] {
        holds(time.is_finite() && time >= 0.0, || format!("a latency of {time} seconds"))?;
    }
    holds(batch > 0 && threads > 0 && rounds > 0, || {
        format!("a latency of {rounds} rounds of batches of {batch} on {threads} threads")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(change: impl Fn(&mut EpochMetrics)) -> Result<(), String> {
        let metrics = Metrics { loss: 2.3, accuracy: 10.0, images: 100 };
        let mut epoch = EpochMetrics { epoch: 1, lr: 0.1, train: metrics, validation: metrics, seconds: 1.0 };
        change(&mut epoch);
        check(&Event::EpochFinished { trial: 1, epoch })
    }

    #[test]
    fn what_cannot_be_is_named() {
        assert_eq!(epoch(|_| {}), Ok(()));
        assert_eq!(epoch(|e| e.train.loss = f64::NAN), Ok(()));
        assert_eq!(epoch(|e| e.train.loss = f64::INFINITY), Ok(()));
        assert_eq!(epoch(|e| (e.seconds, e.lr) = (0.0, 0.0)), Ok(()));
        assert_eq!(epoch(|e| e.validation.accuracy = 100.0), Ok(()));
        let why = |change: fn(&mut EpochMetrics)| epoch(change).unwrap_err();
        assert!(why(|e| e.validation.accuracy = 152.6).contains("validation accuracy of 152.6 %"));
        assert!(why(|e| e.train.accuracy = -0.1).contains("training accuracy of -0.1 %"));
        assert!(why(|e| e.validation.loss = -2.3).contains("validation loss of -2.3"));
        assert!(why(|e| e.seconds = -1.0).contains("-1 seconds"));
        assert!(why(|e| e.seconds = f64::NAN).contains("NaN seconds"));
        assert!(why(|e| e.lr = -0.1).contains("learning rate of -0.1"));
        assert!(why(|e| e.epoch = 0).contains("epoch 0"));
        assert!(check(&Event::TrialContinued { trial: 1, until: Some(0) }).is_err());
    }
}
