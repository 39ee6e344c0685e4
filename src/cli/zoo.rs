//! `blocksmith zoo`: the networks that have names, and what papers print of them.

use serde_json::{Value, json};

use super::output;
use crate::arch::zoo::published::{Agreement, Published, TABLE, agreement};
use crate::arch::zoo::{self, About, AboutOption};
use crate::cost::{self, Cost};
use crate::error::Result;
use crate::report::table::{self, Table};
use crate::text::thousands;

/// The networks that have names, with their options
///
/// A name stands wherever a command or an experiment takes a network; its options are set by --set KEY=VALUE, in YAML by
/// `set`, or after the name, as in 'shufflenet_v1 groups=8'. --classes and --input make any of them for other images.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    blocksmith zoo\n  \
    blocksmith zoo --table\n  \
    blocksmith zoo --json | jq '.[].name'\n  \
    blocksmith profile mobilenet_v3_small --set variant=book --layers blocks\n\n\
    --json prints a list: of each network `name`, `about`, `input` as [channels, height, width], `classes` and `options`\n  \
    (`name`, `about`, `default`, `values`); with --table of each line `network`, `input`, `classes`, `params`, `madds`,\n  \
    `printed` (`params` and `madds` in millions, `source`), `agreement` (`params`, `madds`: rounded, cut_off or differs)\n  \
    and `note`.")]
pub struct Args {
    /// Params and multiply-adds of the published networks beside the figures that papers print, each mismatch with its reason
    #[arg(long)]
    table: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Prints the list or the table.
///
/// # Errors
/// A network of the table cannot be built, or standard output not be written.
pub fn execute(args: &Args) -> Result<()> {
    if !args.table {
        let networks = zoo::catalogue();
        return match args.json {
            true => output::print_json(&networks.iter().map(about_json).collect::<Vec<_>>()),
            false => output::print(&list(&networks)),
        };
    }
    let lines = TABLE.iter().map(Line::of).collect::<Result<Vec<_>>>()?;
    match args.json {
        true => output::print_json(&lines.iter().map(Line::json).collect::<Vec<_>>()),
        false => output::print(&compared(&lines)),
    }
}

fn about_json(network: &About) -> Value {
    let About { name, about, input, classes, options } = network;
    json!({
        "name": name,
        "about": about,
        "input": [input.c, input.h, input.w],
        "classes": classes,
        "options": options,
    })
}

/// Each network with its options under it.
fn list(networks: &[About]) -> String {
    let mut text = String::new();
    for About { name, about, input, classes, options } in networks {
        text += &format!("{name}: {about}; {input} images in {classes} classes unless said\n");
        for AboutOption { name, about, default, values } in options {
            text += &format!("    {name}={default}  ({values})  {about}\n");
        }
    }
    text + "\nOptions are shown with their defaults: set them with --set KEY=VALUE. Any network takes --classes and --input."
}

/// A line of the table with what its network really costs.
struct Line {
    published: &'static Published,
    cost: Cost,
}

impl Line {
    fn of(published: &'static Published) -> Result<Self> {
        let network = zoo::network(published.network, &published.options())?;
        Ok(Self { published, cost: cost::of(&network) })
    }

    /// How the printed params and multiply-adds agree.
    fn agreement(&self) -> [Option<Agreement>; 2] {
        let Published { params, madds, .. } = self.published;
        [(params, self.cost.params), (madds, self.cost.madds)]
            .map(|(printed, count)| printed.map(|printed| agreement(printed, count)))
    }

    /// What there is to say of the printed figures.
    fn note(&self) -> Option<&'static str> {
        let cut = self.agreement().contains(&Some(Agreement::CutOff));
        self.published.note.or(cut.then_some("further digits were cut off, not rounded"))
    }

    fn json(&self) -> Value {
        let Published { network, side, classes, params, madds, source, .. } = self.published;
        let [of_params, of_madds] = self.agreement();
        json!({
            "network": network,
            "input": [3, side, side],
            "classes": classes,
            "params": self.cost.params,
            "madds": self.cost.madds,
            "printed": {"params": params, "madds": madds, "source": source},
            "agreement": {"params": of_params, "madds": of_madds},
            "note": self.note(),
        })
    }
}

/// The table, and under it the notes, each once.
fn compared(lines: &[Line]) -> String {
    let mut table = Table::new(vec![
        table::text("network"),
        table::text("input"),
        table::number("classes"),
        table::number("params"),
        table::number("printed"),
        table::number("madds"),
        table::number("printed"),
        table::text("printed in"),
        table::text("note"),
    ]);
    let mut notes: Vec<&str> = Vec::new();
    for line in lines {
        let Published { network, side, classes, params, madds, source, .. } = line.published;
        let [of_params, of_madds] = line.agreement();
        let figure = |printed: &Option<&str>, agreement: Option<Agreement>| match (printed, agreement) {
            (Some(printed), Some(Agreement::Differs)) => format!("≠ {printed}M"),
            (Some(printed), Some(Agreement::CutOff)) => format!("~ {printed}M"),
            (Some(printed), _) => format!("{printed}M"),
            (None, _) => String::new(),
        };
        let note = line.note().map_or(String::new(), |note| {
            let known = notes.iter().position(|known| *known == note);
            let number = known.unwrap_or_else(|| {
                notes.push(note);
                notes.len() - 1
            });
            format!("[{}]", number + 1)
        });
        table.push(vec![
            (*network).to_owned(),
            format!("3x{side}x{side}"),
            classes.to_string(),
            thousands(line.cost.params),
            figure(params, of_params),
            format!("{:.1}M", line.cost.madds as f64 / 1e6),
            figure(madds, of_madds),
            (*source).to_owned(),
            note,
        ]);
    }
    let mut text = format!(
        "{}\n\n≠ differs, ~ cut off; nothing: the count rounds to what is printed\n",
        table.terminal()
    );
    for (number, note) in notes.iter().enumerate() {
        text += &format!("[{}] {note}\n", number + 1);
    }
    text.trim_end().to_owned()
}
