//! The table of `blocksmith bench --layers`.

use serde_json::{Value, json};

use super::numbers;
use crate::arch::Network;
use crate::cost;
use crate::engine::measure::{LayerTime, Measurement, machine};
use crate::report::table::{Table, number, text};

/// Every layer's time beside what the machine allows.
pub struct Breakdown<'a> {
    network: &'a Network,
    layers: Vec<&'a LayerTime>,
    /// Seconds of a step.
    step: f64,
    /// Operations and bytes a second of one core.
    peaks: (f64, f64),
}

impl<'a> Breakdown<'a> {
    /// Measures the machine's peaks too.
    pub fn new(network: &'a Network, measured: &'a Measurement) -> Self {
        let layers = measured.layers.iter().filter(|layer| layer.seconds() > 0.0).collect();
        Self { network, layers, step: measured.median(), peaks: machine::peaks() }
    }

    /// One object for each layer.
    pub fn json(&self) -> Value {
        let of_layer = |layer: &&LayerTime| {
            json!({
                "name": self.network.layers[layer.layer].name,
                "op": cost::op_text(self.network, layer.layer),
                "forward_ms": layer.forward * 1e3,
                "backward_ms": layer.backward * 1e3,
                "share": layer.seconds() / self.step,
                "gflops": layer.operations / layer.seconds() / 1e9,
                "bytes": layer.bytes,
                "roofline": layer.roofline(self.peaks),
            })
        };
        self.layers.iter().map(of_layer).collect()
    }

    /// A row for each layer, and one for what is no layer's.
    pub fn text(&self) -> String {
        let mut table = Table::new(vec![
            text("layer"),
            text("op"),
            number("forward ms"),
            number("backward ms"),
            number("of step"),
            number("GFLOP/s"),
            number("memory"),
            number("of roofline"),
        ]);
        self.layers.iter().for_each(|layer| table.push(self.row(layer)));
        let rest = (self.step - self.layers.iter().map(|layer| layer.seconds()).sum::<f64>()).max(0.0);
        let (time, share) = (format!("{:.2}", rest * 1e3), format!("{:.1} %", 100.0 * rest / self.step));
        let mut row = ["loss, update, rest", "", &time, "", &share].map(str::to_owned).to_vec();
        row.resize(8, String::new());
        table.push(row);
        let (operations, bytes) = self.peaks;
        format!(
            "{}\n\nOne core at its best: {:.0} GFLOP/s, {:.1} GB/s read in order from memory.\n",
            table.terminal(),
            operations / 1e9,
            bytes / 1e9
        )
    }

    fn row(&self, layer: &LayerTime) -> Vec<String> {
        let has_bytes = layer.bytes > 0.0;
        let or_nothing = |is_there: bool, text: String| if is_there { text } else { String::new() };
        vec![
            self.network.layers[layer.layer].name.clone(),
            cost::op_text(self.network, layer.layer),
            format!("{:.2}", layer.forward * 1e3),
            format!("{:.2}", layer.backward * 1e3),
            format!("{:.1} %", 100.0 * layer.seconds() / self.step),
            or_nothing(layer.operations > 0.0, format!("{:.0}", layer.operations / layer.seconds() / 1e9)),
            or_nothing(has_bytes, numbers::bytes(layer.bytes as u64)),
            or_nothing(has_bytes, format!("{:.0} %", 100.0 * layer.roofline(self.peaks))),
        ]
    }
}
