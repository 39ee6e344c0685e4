//! A network's layers taken apart into the blocks of the notation, from the image to the classifier.
//!
//! Where a map has one channel, a full convolution and a depthwise one are the same layer, so a first guess may lead nowhere:
//! the walk then goes back and reads the layer as the other kind.

use crate::arch::network::{Elementwise, LayerId, Network, Norm, Op, Shape};
use crate::space::{Activation, CseForm, Head, HeadConv};

/// One block, as its layers show it.
#[derive(Debug, Clone, PartialEq)]
pub struct Unit {
    pub kind: Kind,
    /// Shape of what it reads.
    pub input: Shape,
    pub kernel: usize,
    /// Every stride that gives these layers, rising.
    pub strides: Vec<usize>,
    pub channels: usize,
    pub activation: Option<Activation>,
}

/// The kind of a block with what only this kind shows.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    Residual {
        /// Whether it has an expansion, and the hidden width.
        expands: bool,
        hidden: usize,
        /// Width of squeeze-and-excitation.
        squeezed: Option<usize>,
        nonlinear: bool,
        joins: Joins,
        /// The expanded tensor of the block before has the shape of this block's.
        could_join: bool,
    },
    Separable,
    Conv,
    Cse {
        form: CseForm,
        pixels: usize,
        width: usize,
    },
}

/// What is added to an inverted residual.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joins {
    Nothing,
    /// Its input, at its end.
    Input,
    /// Its input through a convolution, at its end.
    Projected,
    /// The expanded tensor before it, after its own expansion.
    Expanded,
}

/// A network of blocks.
#[derive(Debug)]
pub struct Walked {
    /// The stem, if there is one, is the first.
    pub blocks: Vec<Unit>,
    pub head: Head,
    pub conv_bias: bool,
}

/// Where the walk stands: what the next block reads, and the last one's expanded tensor.
#[derive(Debug, Clone, Copy)]
struct Place {
    at: LayerId,
    before: Option<LayerId>,
}

/// The blocks of a network; `None` where it is not made of them.
pub fn walk(network: &Network) -> Option<Walked> {
    let view = View::new(network);
    let conv_bias = view.bias()?;
    // What was read, and at which of its readings.
    let mut read: Vec<(Unit, Place, usize)> = Vec::new();
    let (mut place, mut skip) = (Place { at: 0, before: None }, 0);
    // Each layer is read a few times at most, unless a network was made to be read endlessly.
    for _ in 0..8 * network.layers.len() {
        if skip == 0
            && !read.is_empty()
            && let Some(head) = view.end(place.at)
        {
            let blocks = read.into_iter().map(|(unit, ..)| unit).collect();
            return Some(Walked { blocks, head, conv_bias });
        }
        match view.block(place, skip) {
            Some((unit, next, reading)) => {
                read.push((unit, place, reading));
                (place, skip) = (next, 0);
            }
            None => {
                let (_, back, reading) = read.pop()?;
                (place, skip) = (back, reading + 1);
            }
        }
    }
    None
}

/// A network with the readers of each layer.
struct View<'a> {
    network: &'a Network,
    readers: Vec<Vec<LayerId>>,
}

impl<'a> View<'a> {
    fn new(network: &'a Network) -> Self {
        let mut readers = vec![Vec::new(); network.layers.len()];
        for (id, layer) in network.layers.iter().enumerate() {
            layer.inputs.iter().for_each(|input| readers[*input].push(id));
        }
        Self { network, readers }
    }

    /// Whether every convolution has a bias; `None` where only some have.
    fn bias(&self) -> Option<bool> {
        let mut biases = self.network.layers.iter().filter_map(|layer| match layer.op {
            Op::Conv { bias, .. } => Some(bias),
            _ => None,
        });
        let first = biases.next()?;
        biases.all(|bias| bias == first).then_some(first)
    }

    fn op(&self, id: LayerId) -> &Op {
        &self.network.layers[id].op
    }

    fn shape(&self, id: LayerId) -> Shape {
        self.network.layers[id].output
    }

    /// The one layer that reads this one.
    fn reader(&self, id: LayerId) -> Option<LayerId> {
        match self.readers[id][..] {
            [reader] => Some(reader),
            _ => None,
        }
    }

    /// The end of a network after `at`: a head, dropout and the classifier, and nothing else.
    fn end(&self, at: LayerId) -> Option<Head> {
        let mut last = self.reader(at)?;
        let mut conv = None;
        if let Some((normed, groups)) = self.pointwise(last) {
            let (acted, activation) = self.activation(self.reader(normed)?)?;
            conv = Some(HeadConv { channels: self.shape(acted).c, groups, activation });
            last = self.reader(acted)?;
        }
        if *self.op(last) != Op::GlobalAvgPool {
            return None;
        }
        last = self.reader(last)?;
        let mut dropout = None;
        if let Op::Dropout { rate } = *self.op(last) {
            dropout = Some(rate);
            last = self.reader(last)?;
        }
        let is_last = last + 1 == self.network.layers.len() && self.readers[last].is_empty();
        let is_classifier = *self.op(last) == Op::Linear { out: self.network.classes, bias: true };
        (is_last && is_classifier).then_some(Head { conv, dropout })
    }

    /// The block that begins at a place, where it ends, and which reading it is: the first that is possible, of those from
    /// `skip` on.
    fn block(&self, place: Place, skip: usize) -> Option<(Unit, Place, usize)> {
        let readings = [Self::separable, Self::residual, Self::cse, Self::lite, Self::conv];
        let from = readings.iter().enumerate().skip(skip);
        from.filter_map(|(number, reading)| Some((reading(self, place)?, number)))
            .map(|((unit, next), number)| (unit, next, number))
            .next()
    }

    /// The norm after a 1x1 convolution, and the convolution's groups.
    fn pointwise(&self, conv: LayerId) -> Option<(LayerId, usize)> {
        match *self.op(conv) {
            Op::Conv { kernel: 1, stride: 1, pad: 0, groups, .. } => Some((self.norm(conv)?, groups)),
            _ => None,
        }
    }

    /// As [`pointwise`](Self::pointwise), without groups.
    fn full_pointwise(&self, conv: LayerId) -> Option<LayerId> {
        self.pointwise(conv).filter(|(_, groups)| *groups == 1).map(|(normed, _)| normed)
    }

    fn norm(&self, conv: LayerId) -> Option<LayerId> {
        self.reader(conv).filter(|norm| *self.op(*norm) == Op::BatchNorm(Norm::default()))
    }

    /// The layer itself, where it is an activation, and which.
    fn activation(&self, id: LayerId) -> Option<(LayerId, Activation)> {
        let activation = match self.op(id) {
            Op::Elementwise(Elementwise::Relu) => Activation::Relu,
            Op::Elementwise(Elementwise::Relu6) => Activation::Relu6,
            Op::Elementwise(Elementwise::Hswish) => Activation::Hswish,
            Op::Prelu => Activation::Prelu,
            _ => return None,
        };
        Some((id, activation))
    }

    /// A convolution with 'same' padding, depthwise or full: its norm, kernel and strides.
    fn spatial(&self, conv: LayerId, depthwise: bool) -> Option<(LayerId, usize, Vec<usize>)> {
        let Op::Conv { out_channels, kernel: kernel @ (3 | 5 | 7), stride, pad, groups, .. } = *self.op(conv)
        else {
            return None;
        };
        let x = self.shape(self.network.layers[conv].inputs[0]);
        let fits = if depthwise { groups == x.c && out_channels == x.c } else { groups == 1 };
        if pad != kernel / 2 || !fits {
            return None;
        }
        let y = self.shape(conv);
        let side = |n: usize, stride: usize| (n + 2 * pad - kernel) / stride + 1;
        // Where there is one window, it does not matter how far the next would be.
        let same =
            |by: &usize| *by == stride || y.h == 1 && y.w == 1 && side(x.h, *by) == 1 && side(x.w, *by) == 1;
        Some((self.norm(conv)?, kernel, (1..=4).filter(same).collect()))
    }

    /// Which of the readers of a block's input begins its body; the others join its end.
    fn body(&self, at: LayerId) -> Option<LayerId> {
        let is_body = |id: &LayerId| {
            matches!(self.op(*id), Op::Conv { .. })
                && self.norm(*id).and_then(|norm| self.reader(norm)).is_some_and(|next| match self.op(next) {
                    Op::Add => self.readers[at].len() == 1,
                    _ => true,
                })
        };
        let mut bodies = self.readers[at].iter().copied().filter(is_body);
        let body = bodies.next()?;
        bodies.next().is_none().then_some(body)
    }

    /// What joins the end of a block's body, the last layer then, and whether that leaves no reader of the block's input.
    fn joined(&self, at: LayerId, body: LayerId, last: LayerId) -> Option<(LayerId, Joins)> {
        let others: Vec<LayerId> = self.readers[at].iter().copied().filter(|id| *id != body).collect();
        let other = match others[..] {
            [] => return Some((last, Joins::Nothing)),
            [other] => other,
            _ => return None,
        };
        let (add, joins, joining) = match self.op(other) {
            Op::Add => (other, Joins::Input, at),
            _ => {
                let normed = self.full_pointwise(other)?;
                (self.reader(normed)?, Joins::Projected, normed)
            }
        };
        let mut inputs = self.network.layers[add].inputs.clone();
        inputs.sort_unstable();
        let mut expected = vec![last, joining];
        expected.sort_unstable();
        let is_end = *self.op(add) == Op::Add && inputs == expected && self.reader(last) == Some(add);
        is_end.then_some((add, joins))
    }

    /// Depthwise and 1x1 convolution, an activation after each.
    fn separable(&self, Place { at, .. }: Place) -> Option<(Unit, Place)> {
        let (normed, kernel, strides) = self.spatial(self.reader(at)?, true)?;
        let (acted, activation) = self.activation(self.reader(normed)?)?;
        let normed = self.full_pointwise(self.reader(acted)?)?;
        let (end, second) = self.activation(self.reader(normed)?)?;
        let unit = self.unit(at, end, Kind::Separable, (kernel, strides), Some(activation));
        (second == activation).then_some((unit, Place { at: end, before: None }))
    }

    /// A full convolution.
    fn conv(&self, Place { at, .. }: Place) -> Option<(Unit, Place)> {
        let (normed, kernel, strides) = self.spatial(self.reader(at)?, false)?;
        let (end, activation) = self.activation(self.reader(normed)?)?;
        let unit = self.unit(at, end, Kind::Conv, (kernel, strides), Some(activation));
        Some((unit, Place { at: end, before: None }))
    }

    /// An inverted residual.
    fn residual(&self, Place { at, before }: Place) -> Option<(Unit, Place)> {
        let body = self.body(at)?;
        let (mut last, mut expanded, mut joins) = (body, None, Joins::Nothing);
        let mut first = None;
        if let Some(mut normed) = self.full_pointwise(body) {
            let next = self.reader(normed)?;
            if *self.op(next) == Op::Add {
                let inputs = &self.network.layers[next].inputs;
                if !inputs.contains(&before?) {
                    return None;
                }
                (normed, joins) = (next, Joins::Expanded);
            }
            let (acted, activation) = self.activation(self.reader(normed)?)?;
            first = Some(activation);
            expanded = Some(acted);
            // It may join the next block's, too.
            let depthwise = |id: &&LayerId| matches!(self.op(**id), Op::Conv { .. });
            last = *self.readers[acted].iter().find(depthwise)?;
        }
        let hidden = self.shape(last).c;
        let (normed, kernel, strides) = self.spatial(last, true)?;
        let (acted, activation) = self.activation(self.reader(normed)?)?;
        if first.is_some_and(|first| first != activation) {
            return None;
        }
        let (scaled, squeezed) = self.excited(acted)?;
        let projected = self.full_pointwise(self.reader(scaled)?)?;
        let (mut end, mut nonlinear) = (projected, false);
        if let Some((acted, after)) = self.reader(projected).and_then(|next| self.activation(next)) {
            if after != activation {
                return None;
            }
            (end, nonlinear) = (acted, true);
        }
        let (end, at_end) = self.joined(at, body, end)?;
        if joins == Joins::Nothing {
            joins = at_end;
        } else if at_end != Joins::Nothing {
            return None;
        }
        let could_join = before.zip(expanded).is_some_and(|(a, b)| self.shape(a) == self.shape(b));
        let kind =
            Kind::Residual { expands: expanded.is_some(), hidden, squeezed, nonlinear, joins, could_join };
        let unit = self.unit(at, end, kind, (kernel, strides), Some(activation));
        Some((unit, Place { at: end, before: expanded }))
    }

    /// Squeeze-and-excitation, where there is one: the scaled map and the squeezed width.
    fn excited(&self, from: LayerId) -> Option<(LayerId, Option<usize>)> {
        let pool = |id: &&LayerId| *self.op(**id) == Op::GlobalAvgPool;
        let Some(&pool) = self.readers[from].iter().find(pool) else { return Some((from, None)) };
        let (scale, squeezed) = self.gate(from, pool, true, Elementwise::Hsigmoid)?;
        (*self.op(scale) == Op::ScaleChannels).then_some((scale, Some(squeezed)))
    }

    /// The map that scales CSE's pixels: the scaled map and the squeezed width.
    fn mapped(&self, from: LayerId) -> Option<(LayerId, usize)> {
        let mean = |id: &&LayerId| *self.op(**id) == Op::ChannelMean;
        let mean = *self.readers[from].iter().find(mean)?;
        let (scale, width) = self.gate(from, mean, false, Elementwise::Sigmoid)?;
        (*self.op(scale) == Op::ScaleMap).then_some((scale, width))
    }

    /// Two linear layers with a ReLU between and a gate after, from `squeezed` to what they scale of `from`.
    fn gate(
        &self,
        from: LayerId,
        squeezed: LayerId,
        biases: bool,
        gate: Elementwise,
    ) -> Option<(LayerId, usize)> {
        let linear = |id: LayerId| match *self.op(id) {
            Op::Linear { out, bias } if bias == biases => Some(out),
            _ => None,
        };
        let reduce = self.reader(squeezed)?;
        let width = linear(reduce)?;
        let relu = self.reader(reduce).filter(|id| *self.op(*id) == Op::Elementwise(Elementwise::Relu))?;
        let restore = self.reader(relu)?;
        linear(restore)?;
        let gate = self.reader(restore).filter(|id| *self.op(*id) == Op::Elementwise(gate))?;
        let scale = self.reader(gate)?;
        let of_it = self.readers[from].len() == 2 && self.network.layers[scale].inputs == [from, gate];
        of_it.then_some((scale, width))
    }

    /// A CSE block of the paper's form.
    fn cse(&self, Place { at, .. }: Place) -> Option<(Unit, Place)> {
        let body = self.body(at)?;
        let normed = self.full_pointwise(body)?;
        let (acted, first) = self.activation(self.reader(normed)?)?;
        let (normed, kernel, strides) = self.spatial(self.reader(acted)?, true)?;
        let (acted, activation) = self.activation(self.reader(normed)?)?;
        let (scaled, width) = self.mapped(acted)?;
        let (end, joins) = self.joined(at, body, scaled)?;
        if joins == Joins::Nothing || first != activation || !strides.contains(&1) {
            return None;
        }
        let pixels = self.shape(scaled).h * self.shape(scaled).w;
        let channels = self.shape(end).c;
        // Nothing but the block's own 2x2 convolution has no padding.
        let down = self.reader(end).filter(|id| match *self.op(*id) {
            Op::Conv { out_channels, kernel: 2, stride: 2, pad: 0, groups, .. } => {
                groups == channels && out_channels == channels
            }
            _ => false,
        });
        let (end, strides) = down.map_or((end, vec![1]), |down| (down, vec![2]));
        let kind = Kind::Cse { form: CseForm::Paper, pixels, width };
        let unit = self.unit(at, end, kind, (kernel, strides), Some(activation));
        Some((unit, Place { at: end, before: None }))
    }

    /// A CSE block of the stand-in's form.
    fn lite(&self, Place { at, .. }: Place) -> Option<(Unit, Place)> {
        let body = self.readers[at].iter().copied().find(|id| matches!(self.op(*id), Op::Conv { .. }))?;
        let mut last = body;
        if let Some(normed) = self.full_pointwise(body) {
            last = self.reader(normed)?;
            // It has one where channels change, and only there.
            if self.shape(normed).c == self.shape(at).c {
                return None;
            }
        }
        let (normed, kernel, mut strides) = self.spatial(last, true)?;
        strides.retain(|stride| *stride <= 2);
        let (scaled, width) = self.mapped(normed)?;
        let (end, joins) = self.joined(at, body, scaled)?;
        let expected = if self.shape(at) == self.shape(scaled) { Joins::Input } else { Joins::Nothing };
        let pixels = self.shape(scaled).h * self.shape(scaled).w;
        let kind = Kind::Cse { form: CseForm::Lite, pixels, width };
        let unit = self.unit(at, end, kind, (kernel, strides), None);
        (joins == expected && !unit.strides.is_empty()).then_some((unit, Place { at: end, before: None }))
    }

    fn unit(
        &self,
        at: LayerId,
        end: LayerId,
        kind: Kind,
        (kernel, strides): (usize, Vec<usize>),
        activation: Option<Activation>,
    ) -> Unit {
        Unit { kind, input: self.shape(at), kernel, strides, channels: self.shape(end).c, activation }
    }
}
