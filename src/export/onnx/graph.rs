//! The graph under construction: values by layer, in the form that a reader needs.

use std::collections::{BTreeMap, BTreeSet};

use super::proto::{Attribute, Graph, Node, Tensor, Value};
use crate::arch::{LayerId, Network};
use crate::engine::Model;
use crate::engine::weights::{Part, Slot, slots};

/// Names of the graph's input and output.
const INPUT: &str = "input";
const OUTPUT: &str = "logits";

/// How a layer's output lies in the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// (N, C, H, W)
    Map,
    /// (N, C*H*W)
    Flat,
}

/// Writes one network's graph.
pub struct Writer<'a> {
    pub model: &'a Model<f32>,
    pub network: &'a Network,
    slots: Vec<Slot>,
    nodes: Vec<Node>,
    initializers: Vec<Tensor>,
    /// Name and form of each layer's output, as far as written.
    values: Vec<(String, Form)>,
    /// Outputs that were brought into another form.
    reformed: BTreeMap<(String, Form), String>,
    /// Constants that several nodes share.
    constants: BTreeSet<&'static str>,
}

impl<'a> Writer<'a> {
    pub fn new(model: &'a Model<f32>) -> Self {
        Self {
            model,
            network: &model.network,
            slots: slots(&model.network),
            nodes: Vec::new(),
            initializers: Vec::new(),
            values: Vec::new(),
            reformed: BTreeMap::new(),
            constants: BTreeSet::new(),
        }
    }

    /// The form of a layer's output.
    pub fn form(&self, id: LayerId) -> Form {
        self.values[id].1
    }

    /// The value of a layer's output as it is.
    pub fn value(&self, id: LayerId) -> String {
        self.values[id].0.clone()
    }

    /// The value of a layer's output in a form; where it has the other one, a node that changes it comes first.
    pub fn value_as(&mut self, id: LayerId, form: Form) -> String {
        let (value, own) = self.values[id].clone();
        if own == form {
            return value;
        }
        // By name: a layer that does nothing has the value of the one before it.
        if let Some(value) = self.reformed.get(&(value.clone(), form)) {
            return value.clone();
        }
        let shape = self.network.layers[id].output;
        let reformed = match form {
            Form::Flat => {
                let axis = vec![Attribute::int("axis", 1)];
                self.node(&format!("{value}.flat"), "Flatten", &[&value], axis)
            }
            Form::Map => self.reshape(&format!("{value}.map"), &value, &[shape.c, shape.h, shape.w]),
        };
        self.reformed.insert((value, form), reformed.clone());
        reformed
    }

    /// The next layer's output is this value.
    pub fn push_value(&mut self, value: String, form: Form) {
        self.values.push((value, form));
    }

    /// The name that a layer's output gets. The graph's input and output have names of their own, which no other may have.
    pub fn output_name(&self, id: LayerId) -> String {
        let name = &self.network.layers[id].name;
        if id > 0 && [INPUT, OUTPUT].contains(&name.as_str()) { format!("{name}.out") } else { name.clone() }
    }

    /// Adds a node of one output, which has the node's name; returns it.
    pub fn node(&mut self, name: &str, op: &str, inputs: &[&str], attribute: Vec<Attribute>) -> String {
        self.nodes.push(Node {
            input: inputs.iter().map(|&input| input.to_owned()).collect(),
            output: vec![name.to_owned()],
            name: name.to_owned(),
            op_type: op.to_owned(),
            attribute,
        });
        name.to_owned()
    }

    /// Adds a reshape to (N, dims...), whatever N is.
    pub fn reshape(&mut self, name: &str, value: &str, dims: &[usize]) -> String {
        // 0 stands for what the extent was.
        let shape: Vec<i64> = std::iter::once(0).chain(dims.iter().map(|&dim| dim as i64)).collect();
        let shape = self.whole(&format!("{name}.shape"), &shape);
        self.node(name, "Reshape", &[value, &shape], Vec::new())
    }

    /// Adds whole numbers as a constant; returns its name.
    pub fn whole(&mut self, name: &str, values: &[i64]) -> String {
        self.initializers.push(Tensor::whole(name, values));
        name.to_owned()
    }

    /// A number that several nodes share, added once.
    pub fn constant(&mut self, name: &'static str, value: f32) -> &'static str {
        if self.constants.insert(name) {
            self.initializers.push(Tensor::floats(name, &[], &[value]));
        }
        name
    }

    /// Adds the tensors of a layer, in the order weight, bias, mean, variance; returns their names.
    pub fn weights(&mut self, id: LayerId) -> Vec<(Part, String)> {
        let mut names = Vec::new();
        for slot in self.slots.iter().filter(|slot| slot.layer == id) {
            let name = slot.name(self.network);
            self.initializers.push(Tensor::floats(&name, &slot.shape, &self.model.values(slot)));
            names.push((slot.part, name));
        }
        names
    }

    /// The whole graph: the last layer's output, flat, is `logits`.
    pub fn finish(mut self) -> Graph {
        let last = self.network.layers.len().saturating_sub(1);
        let value = self.value_as(last, Form::Flat);
        if value == INPUT {
            self.node(OUTPUT, "Identity", &[INPUT], Vec::new());
        }
        for node in &mut self.nodes {
            let names = node.input.iter_mut().chain(&mut node.output);
            names.filter(|name| **name == value && value != INPUT).for_each(|name| *name = OUTPUT.to_owned());
        }
        let input = self.network.input();
        let outputs = self.network.layers.last().map_or(0, |layer| layer.output.len());
        Graph {
            node: self.nodes,
            name: plain_name(&self.network.name),
            initializer: self.initializers,
            input: vec![Value::batch(INPUT, &[input.c, input.h, input.w])],
            output: vec![Value::batch(OUTPUT, &[outputs])],
        }
    }
}

/// A network's name without its options, which are in the file's metadata.
fn plain_name(name: &str) -> String {
    name.split(' ').take_while(|word| !word.contains('=')).collect::<Vec<_>>().join(" ")
}
