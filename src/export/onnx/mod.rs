//! A model as an ONNX file: opset 17, IR version 8, images NCHW as the input `input` with a dynamic batch dimension `batch`,
//! and the output `logits`.
//!
//! Nodes and weights have the layers' names. Batch norm is a node of its own unless it was folded before.

mod graph;
mod ops;
mod proto;

use prost::Message;

use super::About;
use crate::engine::Model;
use crate::error::{Error, Result};
use graph::Writer;

/// Version of the operators: it has all that our ops need (HardSwish came with 14), and the runtimes of the last years read it.
pub const OPSET: i64 = 17;
/// Version of the file format that came with it.
const IR_VERSION: i64 = 8;

/// No protobuf message may be larger.
const LARGEST: usize = (1 << 31) - 1;

/// The bytes of the file. The same model gives the same bytes.
///
/// # Errors
/// A sentence that names a layer which ONNX cannot express, or says that the file would be larger than protobuf allows.
pub fn bytes(model: &Model<f32>, about: &About) -> Result<Vec<u8>> {
    let network = &model.network;
    let mut writer = Writer::new(model);
    for id in 0..network.layers.len() {
        ops::layer(&mut writer, id).map_err(|what| {
            Error::request(format!(
                "{}: ONNX cannot express {}: {what}",
                network.name, network.layers[id].name
            ))
        })?;
    }
    let normalised = match &about.normalisation {
        Some(_) => {
            "(byte / 255 - mean) / std of each channel, red first, with the `normalisation` of the metadata"
        }
        None => "normalised as in the training of the weights",
    };
    let pairs = about.pairs().into_iter().filter(|(key, _)| key != "format");
    let file = proto::Model {
        ir_version: IR_VERSION,
        producer_name: "blocksmith".into(),
        producer_version: env!("CARGO_PKG_VERSION").into(),
        doc_string: format!("{}. Input: images NCHW, {normalised}. Output: logits.", about.network),
        graph: Some(writer.finish()),
        opset_import: vec![proto::OperatorSet { domain: String::new(), version: OPSET }],
        metadata_props: pairs.map(|(key, value)| proto::StringPair { key, value }).collect(),
    };
    if file.encoded_len() > LARGEST {
        return Err(Error::request(format!(
            "{}: its ONNX file would be larger than the 2 GiB that protobuf allows; export it as safetensors",
            network.name
        )));
    }
    Ok(file.encode_to_vec())
}
