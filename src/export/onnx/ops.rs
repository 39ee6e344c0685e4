//! One layer as ONNX nodes.

use super::graph::{Form, Writer};
use super::proto::Attribute;
use crate::arch::{Elementwise, LayerId, Op, Window};
use crate::engine::weights::Part;

/// Adds the nodes of a layer; the layers it reads are there.
///
/// # Errors
/// A clause where ONNX has no such op.
pub fn layer(writer: &mut Writer<'_>, id: LayerId) -> Result<(), String> {
    let network = writer.network;
    let layer = &network.layers[id];
    let name = writer.output_name(id);
    let x = layer.inputs.first().copied().unwrap_or(0);
    let from = network.layers[x].output;
    let (value, form) = match layer.op {
        Op::Input => (name, Form::Map),
        Op::Conv { kernel, stride, pad, groups, .. } => {
            let value = writer.value_as(x, Form::Map);
            let attributes = vec![
                Attribute::ints("dilations", &[1, 1]),
                Attribute::int("group", groups),
                Attribute::ints("kernel_shape", &[kernel, kernel]),
                Attribute::ints("pads", &[pad; 4]),
                Attribute::ints("strides", &[stride, stride]),
            ];
            (weighted(writer, id, &name, "Conv", value, attributes), Form::Map)
        }
        Op::Linear { .. } => {
            let value = writer.value_as(x, Form::Flat);
            let attributes = vec![Attribute::int("transB", 1)];
            (weighted(writer, id, &name, "Gemm", value, attributes), Form::Flat)
        }
        Op::BatchNorm(norm) => {
            let (value, form) = (writer.value(x), writer.form(x));
            // ONNX's momentum is the share of the old statistics.
            let attributes = vec![
                Attribute::float("epsilon", norm.eps),
                Attribute::float("momentum", 1.0 - norm.momentum),
            ];
            (weighted(writer, id, &name, "BatchNormalization", value, attributes), form)
        }
        Op::Elementwise(function) => {
            let (value, form) = (writer.value(x), writer.form(x));
            (elementwise(writer, &name, function, &value), form)
        }
        Op::Prelu => {
            let (value, form) = (writer.value(x), writer.form(x));
            (weighted(writer, id, &name, "PRelu", value, Vec::new()), form)
        }
        Op::Add | Op::Concat => {
            let is_flat = layer.inputs.iter().all(|&input| writer.form(input) == Form::Flat);
            let form = if is_flat { Form::Flat } else { Form::Map };
            let values: Vec<String> =
                layer.inputs.iter().map(|&input| writer.value_as(input, form)).collect();
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            let (op, attributes) = match layer.op {
                Op::Add => ("Add", Vec::new()),
                _ => ("Concat", vec![Attribute::int("axis", 1)]),
            };
            (writer.node(&name, op, &values, attributes), form)
        }
        Op::Slice { start, len } => {
            let (value, form) = (writer.value(x), writer.form(x));
            let starts = writer.whole(&format!("{name}.starts"), &[start as i64]);
            let ends = writer.whole(&format!("{name}.ends"), &[(start + len) as i64]);
            let axes = writer.whole(&format!("{name}.axes"), &[1]);
            (writer.node(&name, "Slice", &[&value, &starts, &ends, &axes], Vec::new()), form)
        }
        Op::Shuffle { groups } => {
            let value = writer.value_as(x, Form::Map);
            let dims = [groups, from.c / groups, from.h, from.w];
            let apart = writer.reshape(&format!("{name}.groups"), &value, &dims);
            let permutation = vec![Attribute::ints("perm", &[0, 2, 1, 3, 4])];
            let turned = writer.node(&format!("{name}.turned"), "Transpose", &[&apart], permutation);
            (writer.reshape(&name, &turned, &[from.c, from.h, from.w]), Form::Map)
        }
        Op::MaxPool(window) | Op::AvgPool(window) => {
            let mut value = writer.value_as(x, Form::Map);
            let is_mean = matches!(layer.op, Op::AvgPool(_));
            let out = [layer.output.h, layer.output.w];
            let mut windows = Windows::new(window, [from.h, from.w], out);
            if is_mean && windows.overhang() && window.pad > 0 {
                // A mean counts the padding and not what is beyond it: the padding becomes part of the map.
                let pad = window.pad as i64;
                let pads = writer.whole(&format!("{name}.pads"), &[0, 0, pad, pad, 0, 0, pad, pad]);
                value = writer.node(&format!("{name}.padded"), "Pad", &[&value, &pads], Vec::new());
                let window = Window { pad: 0, ..window };
                windows = Windows::new(window, [from.h, from.w].map(|n| n + 2 * pad as usize), out);
            }
            let mut attributes = windows.attributes();
            if is_mean {
                attributes.push(Attribute::int("count_include_pad", usize::from(!windows.overhang())));
            }
            let op = if is_mean { "AveragePool" } else { "MaxPool" };
            (writer.node(&name, op, &[&value], attributes), Form::Map)
        }
        Op::LocalResponseNorm { size, .. } if size % 2 == 0 => {
            return Err(format!(
                "it counts the {size} channels of a window with no middle from the other side"
            ));
        }
        Op::LocalResponseNorm { size, alpha, beta, k } => {
            let value = writer.value_as(x, Form::Map);
            let attributes = vec![
                Attribute::float("alpha", alpha),
                Attribute::float("beta", beta),
                Attribute::float("bias", k),
                Attribute::int("size", size),
            ];
            (writer.node(&name, "LRN", &[&value], attributes), Form::Map)
        }
        // In evaluation it does nothing.
        Op::Dropout { .. } => (writer.value(x), writer.form(x)),
        Op::Flatten => (writer.value_as(x, Form::Flat), Form::Flat),
        Op::ChannelMean => {
            let value = writer.value_as(x, Form::Map);
            let attributes = vec![Attribute::ints("axes", &[1]), Attribute::int("keepdims", 1)];
            let mean = writer.node(&format!("{name}.mean"), "ReduceMean", &[&value], attributes);
            (writer.node(&name, "Flatten", &[&mean], vec![Attribute::int("axis", 1)]), Form::Flat)
        }
        Op::GlobalAvgPool => {
            let value = writer.value_as(x, Form::Map);
            (writer.node(&name, "GlobalAveragePool", &[&value], Vec::new()), Form::Map)
        }
        Op::ScaleMap => {
            let value = writer.value_as(x, Form::Map);
            let factors = writer.value_as(layer.inputs[1], Form::Flat);
            let factors = writer.reshape(&format!("{name}.factors"), &factors, &[1, from.h, from.w]);
            (writer.node(&name, "Mul", &[&value, &factors], Vec::new()), Form::Map)
        }
        Op::ScaleChannels => {
            let value = writer.value_as(x, Form::Map);
            let factors = writer.value_as(layer.inputs[1], Form::Map);
            (writer.node(&name, "Mul", &[&value, &factors], Vec::new()), Form::Map)
        }
    };
    writer.push_value(value, form);
    Ok(())
}

/// A node that reads the layer's tensors after its input.
fn weighted(
    writer: &mut Writer<'_>,
    id: LayerId,
    name: &str,
    op: &str,
    value: String,
    attributes: Vec<Attribute>,
) -> String {
    let weights: Vec<(Part, String)> = writer.weights(id);
    let names = weights.iter().map(|(_, name)| name.as_str());
    let inputs: Vec<&str> = std::iter::once(value.as_str()).chain(names).collect();
    writer.node(name, op, &inputs, attributes)
}

fn elementwise(writer: &mut Writer<'_>, name: &str, function: Elementwise, value: &str) -> String {
    match function {
        Elementwise::Relu => writer.node(name, "Relu", &[value], Vec::new()),
        Elementwise::Relu6 => {
            let (least, most) = (writer.constant("relu6.min", 0.0), writer.constant("relu6.max", 6.0));
            writer.node(name, "Clip", &[value, least, most], Vec::new())
        }
        Elementwise::Hswish => writer.node(name, "HardSwish", &[value], Vec::new()),
        Elementwise::Hsigmoid => {
            let attributes = vec![Attribute::float("alpha", 1.0 / 6.0), Attribute::float("beta", 0.5)];
            writer.node(name, "HardSigmoid", &[value], attributes)
        }
        Elementwise::Sigmoid => writer.node(name, "Sigmoid", &[value], Vec::new()),
    }
}

/// The windows of a pooling layer. What a last window that is cut off takes beyond the padding is written as padding at the
/// end, and not as `ceil_mode`: runtimes differ on whether a window may begin there, and on what a mean divides by.
struct Windows {
    window: Window,
    /// Padding below and on the right.
    end: [usize; 2],
}

impl Windows {
    /// Of a map of `sides` to one of `out`.
    fn new(window: Window, sides: [usize; 2], out: [usize; 2]) -> Self {
        let Window { kernel, stride, pad, .. } = window;
        let end = |at: usize| {
            let reach = out[at].saturating_sub(1) * stride + kernel;
            reach.saturating_sub(sides[at] + pad).max(pad)
        };
        Self { window, end: [end(0), end(1)] }
    }

    /// Whether some window reaches beyond the layer's own padding.
    fn overhang(&self) -> bool {
        self.end.iter().any(|&end| end > self.window.pad)
    }

    fn attributes(&self) -> Vec<Attribute> {
        let Window { kernel, stride, pad, .. } = self.window;
        vec![
            Attribute::ints("kernel_shape", &[kernel, kernel]),
            Attribute::ints("pads", &[pad, pad, self.end[0], self.end[1]]),
            Attribute::ints("strides", &[stride, stride]),
        ]
    }
}
