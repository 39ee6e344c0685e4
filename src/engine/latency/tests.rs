//! Statistics against values by hand, and a measurement that is one.

use super::*;
use crate::arch::zoo;

#[test]
fn statistics_are_those_by_hand() {
    assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
    assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
    assert!(median(&[]).is_nan());
    // The example of the MAD: 1, 1, 2, 2, 4, 6, 9 has the median 2, and deviations 1, 1, 0, 0, 2, 4, 7 with the median 1.
    assert_eq!(mad(&[1.0, 1.0, 2.0, 2.0, 4.0, 6.0, 9.0]), 1.0);
}

/// Ten rounds are five blocks of two: medians 1.0, 1.1, 1.0, 0.9, 1.0 of all 1.0.
#[test]
fn the_floor_is_the_spread_of_block_medians() {
    let samples = [1.0, 1.0, 1.1, 1.1, 1.0, 1.0, 0.9, 0.9, 1.0, 1.0];
    let quiet = [2.0; 10];
    assert!((floor(&samples, &quiet) - 0.2).abs() < 1e-12);
    // A quiet network beside a reference that was disturbed: 2 * 0.2.
    assert!((floor(&quiet, &samples) - 0.4).abs() < 1e-12);
    assert_eq!(floor(&quiet, &quiet), 0.0);
    // A single outlier moves no median of three.
    let mut samples = vec![1.0; 15];
    samples[7] = 100.0;
    assert_eq!(floor(&samples, &[1.0; 15]), 0.0);
    // 12 rounds: blocks from 0, 2, 4, 7, 9.
    let samples = [1.0, 1.0, 1.0, 1.0, 1.0, 5.0, 5.0, 1.0, 1.0, 1.0, 1.0, 1.0];
    assert_eq!(floor(&samples, &[1.0; 12]), 4.0);
}

fn latency(median: f64, floor: f64, batch: usize) -> Latency {
    Latency {
        source: Source::Measured,
        median,
        mad: 0.0,
        floor,
        batch,
        threads: 1,
        rounds: 10,
        pinned: true,
        reference: 1.0,
    }
}

#[test]
fn what_differs_by_no_more_than_noise_ties() {
    let (a, b) = (latency(1.0, 0.25, 1), latency(1.25, 0.0, 1));
    assert!(a.ties(&b) && b.ties(&a));
    assert!(!latency(1.0, 0.2, 1).ties(&b));
    // One image of four takes a quarter, and so does its noise.
    let four = latency(4.0, 1.0, 4);
    assert_eq!((four.per_image(), four.floor_per_image()), (1.0, 0.25));
    assert!(four.ties(&b));
    // However loud it was: a hundred times as long is no tie.
    assert!(!latency(1.0, 2.0, 1).ties(&latency(100.0, 200.0, 1)));
}

#[test]
fn networks_are_measured_in_turn() {
    let network = |name| zoo::network(name, &zoo::Options::default()).unwrap();
    let (small, large) = (network("stem_c8_s2 ir_e2_c8"), network("mix"));
    for threads in [1, 2] {
        let config = LatencyConfig { batch: 2, threads, rounds: 10 };
        let measured = measure(&[&small, &large], &config, &|| false).unwrap().unwrap();
        assert_eq!(measured.len(), 2);
        for one in &measured {
            assert!(one.median > 0.0 && one.mad >= 0.0 && one.floor >= 0.0 && one.reference > 0.0);
            assert_eq!((one.batch, one.threads, one.rounds), (2, threads, 10));
            assert_eq!(one.source, Source::Measured);
        }
        // A hundred times the multiply-adds.
        assert!(measured[0].median < measured[1].median, "{measured:?}");
    }
    assert_eq!(measure(&[&small], &LatencyConfig::default(), &|| true).unwrap(), None);
}

/// The measuring thread is held to a core, and nobody else.
#[test]
fn others_are_not_held_to_a_core() {
    let cores = || thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let before = cores();
    let held = thread::spawn(move || (pin::hold(1), cores())).join().unwrap();
    if held.0 {
        assert_eq!(held.1, 1);
    }
    assert!(!pin::hold(usize::MAX));
    assert_eq!(cores(), before);
}
