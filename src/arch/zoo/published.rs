//! What papers print of the named networks, to be held against what the definitions count.
//!
//! A figure is written as it is printed. Where it is not what the definition gives, the note says why, as far as that
//! can be known.

use super::Options;
use crate::arch::network::Shape;

/// One printed line: a network with its figures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Published {
    /// A name with options, as `resolve` reads it.
    pub network: &'static str,
    /// Side of the images, which have three channels.
    pub side: usize,
    pub classes: usize,
    /// Params in millions, such as `4.2`.
    pub params: Option<&'static str>,
    /// Multiply-adds in millions, such as `569`.
    pub madds: Option<&'static str>,
    /// Where the figures are printed.
    pub source: &'static str,
    /// Why they are not what the definition gives, where they are not.
    pub note: Option<&'static str>,
}

impl Published {
    /// What `resolve` needs beside the name.
    pub fn options(&self) -> Options {
        let input = Some(Shape::new(3, self.side, self.side));
        Options { classes: Some(self.classes), input, ..Options::default() }
    }
}

/// How a printed figure and a count agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Agreement {
    /// The count, rounded to the printed digits, is the figure.
    Rounded,
    /// The count's further digits were cut off.
    CutOff,
    Differs,
}

/// How `printed`, in millions, agrees with a count.
pub fn agreement(printed: &str, count: u64) -> Agreement {
    let decimals = printed.split_once('.').map_or(0, |(_, digits)| digits.len());
    let millions = count as f64 / 1e6;
    let scale = 10_f64.powi(decimals as i32);
    let cut = (millions * scale).floor() / scale;
    if format!("{millions:.decimals$}") == printed {
        Agreement::Rounded
    } else if format!("{cut:.decimals$}") == printed {
        Agreement::CutOff
    } else {
        Agreement::Differs
    }
}

/// A line for images of 224x224 in 1000 classes.
const fn imagenet(
    network: &'static str,
    params: Option<&'static str>,
    madds: Option<&'static str>,
    source: &'static str,
) -> Published {
    Published { network, side: 224, classes: 1000, params, madds, source, note: None }
}

/// A line for images of 32x32.
const fn cifar(
    network: &'static str,
    classes: usize,
    params: Option<&'static str>,
    madds: Option<&'static str>,
    source: &'static str,
) -> Published {
    Published { network, side: 32, classes, params, madds, source, note: None }
}

impl Published {
    const fn at(self, side: usize) -> Self {
        Self { side, ..self }
    }

    const fn of(self, classes: usize) -> Self {
        Self { classes, ..self }
    }

    const fn because(self, note: &'static str) -> Self {
        Self { note: Some(note), ..self }
    }
}

const V1: &str = "MobileNets, Tables 4 to 8";
const V2: &str = "MobileNetV2, Table 4";
const V3: &str = "MobileNetV3, Table 3";
const LISTING: &str = "the book's listing";
const SHUFFLE_V1: &str = "ShuffleNet, Table 1";
const SHUFFLE_V2: &str = "ShuffleNet V2, Table 5";
const CSE: &str = "CSE paper, results";
const CIFAR_MODELS: &str = "chenyaofo/pytorch-cifar-models";
const ELSEWHERE: &str = "elsewhere";
const NOWHERE: &str = "";

/// Every network of the tables, in their order.
pub const TABLE: &[Published] = &[
    imagenet("mobilenet_v1", Some("4.2"), Some("569"), V1),
    imagenet("mobilenet_v1", Some("4.3"), None, ELSEWHERE)
        .because("batch norm's running statistics are counted too: 4,253,864"),
    imagenet("mobilenet_v1", Some("4.2"), Some("418"), V1).at(192),
    imagenet("mobilenet_v1", Some("4.2"), Some("290"), V1).at(160),
    imagenet("mobilenet_v1", Some("4.2"), Some("186"), V1).at(128),
    imagenet("mobilenet_v1 width=0.75", Some("2.6"), Some("325"), V1),
    imagenet("mobilenet_v1 width=0.5", Some("1.3"), Some("149"), V1),
    imagenet("mobilenet_v1 width=0.25", Some("0.5"), Some("41"), V1),
    imagenet("mobilenet_v1 width=0.5", Some("1.32"), Some("76"), "MobileNets, Table 9").at(160).because(
        "batch norm's gamma and beta are left out: 1,320,648",
    ),
    imagenet("mobilenet_v1 variant=full", Some("29.3"), Some("4866"), V1).because(CLASSIFIER),
    imagenet("mobilenet_v1 variant=shallow", Some("2.9"), Some("307"), V1),
    imagenet("mobilenet_v2", Some("3.4"), Some("300"), V2)
        .because("further digits were cut off, of the params without gamma and beta: 3,470,760"),
    imagenet("mobilenet_v2", None, Some("326"), ELSEWHERE)
        .because("more than convolutions and linear layers is counted; what, is not said"),
    imagenet("mobilenet_v2 width=1.4", Some("6.9"), Some("585"), V2)
        .because("6.9M is wrong: the definition gives 6.1M and 582.2M, with the last convolution 1280 * 1.4 = 1792 wide"),
    imagenet("mobilenet_v2", None, None, NOWHERE).of(10),
    cifar("mobilenet_v2 stem=cifar", 10, Some("2.24"), Some("88.0"), CIFAR_MODELS),
    cifar("mobilenet_v2 stem=cifar width=0.5", 10, Some("0.70"), Some("28.0"), CIFAR_MODELS),
    cifar("mobilenet_v2 stem=cifar conv_bias=true", 10, Some("2.253"), None, CSE),
    cifar("mobilenet_v2 stem=cifar conv_bias=true", 100, Some("2.253"), None, CSE)
        .because("the figure for 10 classes is printed again; 90 more have 115,290 params"),
    imagenet("mobilenet_v3_large", Some("5.4"), Some("219"), V3)
        .because("5.4M is cut off; with the 1x1 expansion in the first block too, which does not widen, there would be 219.8M"),
    imagenet("mobilenet_v3_small", Some("2.5"), Some("56"), V3),
    imagenet("mobilenet_v3_large variant=paper width=0.75", Some("4.0"), Some("155"), V3),
    imagenet("mobilenet_v3_large variant=paper width=0.5", None, None, NOWHERE),
    imagenet("mobilenet_v3_large variant=paper width=0.35", None, None, NOWHERE),
    imagenet("mobilenet_v3_small variant=paper width=0.75", Some("2.0"), Some("44"), V3)
        .because("44M is not what this definition counts; what else was counted is not said"),
    imagenet("mobilenet_v3_small variant=paper width=0.5", None, None, NOWHERE),
    imagenet("mobilenet_v3_small variant=paper width=0.35", None, None, NOWHERE),
    imagenet("mobilenet_v3_large width=0.75", None, None, NOWHERE).because(TORCHVISIONS),
    imagenet("mobilenet_v3_large width=0.5", None, None, NOWHERE).because(TORCHVISIONS),
    imagenet("mobilenet_v3_large width=0.35", None, None, NOWHERE).because(TORCHVISIONS),
    imagenet("mobilenet_v3_small width=0.75", None, None, NOWHERE).because(TORCHVISIONS),
    imagenet("mobilenet_v3_small width=0.5", None, None, NOWHERE).because(TORCHVISIONS),
    imagenet("mobilenet_v3_small width=0.35", None, None, NOWHERE).because(TORCHVISIONS),
    imagenet("mobilenet_v3_large variant=book", None, None, LISTING),
    imagenet("mobilenet_v3_small variant=book", None, Some("66"), LISTING)
        .because("66M is no count of this definition, whose convolutions and linear layers have 60.1M"),
    cifar("mobilenet_v3_small stem=cifar", 10, Some("1.52"), Some("17.5"), "CIFAR-10 runs of others"),
    imagenet("shufflenet_v1 groups=1", None, Some("143"), SHUFFLE_V1).because(CLASSIFIER),
    imagenet("shufflenet_v1 groups=2", None, Some("140"), SHUFFLE_V1).because(CLASSIFIER),
    imagenet("shufflenet_v1 groups=3", None, Some("137"), SHUFFLE_V1).because(CLASSIFIER),
    imagenet("shufflenet_v1 groups=4", None, Some("133"), SHUFFLE_V1).because(CLASSIFIER),
    imagenet("shufflenet_v1 groups=8", None, Some("137"), SHUFFLE_V1).because(CLASSIFIER),
    imagenet("shufflenet_v2 width=0.5", Some("1.4"), Some("41"), SHUFFLE_V2).because(SHUFFLE_V2_MORE),
    imagenet("shufflenet_v2", Some("2.3"), Some("146"), SHUFFLE_V2).because(SHUFFLE_V2_MORE),
    imagenet("shufflenet_v2 width=1.5", Some("3.5"), Some("299"), SHUFFLE_V2).because(SHUFFLE_V2_MORE),
    imagenet("shufflenet_v2 width=2", Some("7.4"), Some("591"), SHUFFLE_V2).because(SHUFFLE_V2_MORE),
    cifar("shufflenet_v2 stem=cifar width=0.5", 10, Some("0.35"), Some("10.9"), CIFAR_MODELS),
    cifar("shufflenet_v2 stem=cifar", 10, Some("1.26"), Some("45.0"), CIFAR_MODELS),
    imagenet("vgg16", Some("138"), Some("15300"), V1)
        .because("convolutions only, to three digits: 15,346.6M; the linear layers have 123.6M"),
    imagenet("googlenet", Some("6.8"), Some("1550"), V1)
        .because("6.8M adds up GoogLeNet's own Table 1, whose rows are not its layers' params (the first convolution has 9.4K, not 2.7K); how 1550M was counted is not said"),
    imagenet("alexnet", Some("60"), Some("720"), "MobileNets, Table 9")
        .because("the original in two columns; this is the network in one column"),
    imagenet("squeezenet", Some("1.25"), Some("1700"), "MobileNets, Table 9")
        .because("about twice the count (832.7M at 227x227): multiplications and additions seem to be counted apart"),
    cifar("mix", 10, Some("0.363"), None, CSE),
    cifar("mix", 100, Some("0.478"), None, CSE),
    imagenet("mix_imagenette", Some("0.444"), None, CSE).of(10),
    cifar("optimized", 10, Some("0.425"), None, CSE),
    cifar("optimized", 100, Some("0.541"), None, CSE),
    cifar("cse_only", 10, Some("0.228"), None, CSE),
];

const CLASSIFIER: &str = "the classifier is left out of the printed multiply-adds";
const TORCHVISIONS: &str = "torchvision's width_mult narrows the last layers too, so this is not the network of the paper at that width, which is variant=paper";
const SHUFFLE_V2_MORE: &str = "the paper's count is 1 % higher than that of convolutions and linear layers; what else it has is not said";
