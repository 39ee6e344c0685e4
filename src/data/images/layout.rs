//! Which file of an image folder is which image: `[top/]train|test|val/<class>/.../<file>`, or `[top/]<class>/.../<file>`
//! where the test images are to be held out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::HOW_TO_GET;
use crate::data::archive::{Member, What};
use crate::data::record::Reading;
use crate::error::{Error, Result};
use crate::text::thousands;

/// A split by the name of its folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Split {
    Train,
    Test,
    Validation,
}

/// What folders of splits are called, however they are capitalised.
const NAMES: [(&str, Split); 7] = [
    ("train", Split::Train),
    ("training", Split::Train),
    ("test", Split::Test),
    ("testing", Split::Test),
    ("val", Split::Validation),
    ("valid", Split::Validation),
    ("validation", Split::Validation),
];

/// Links that lead to links are followed this far.
const LINKS: usize = 8;

/// Where an image belongs. Ordered by split, class and name: the order of the data set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub is_test: bool,
    pub class: String,
    /// Path below the root, for the order and for messages.
    pub name: String,
}

/// Which members are images, as far as names tell.
pub(super) struct Plan {
    /// Each image's place and the member that holds it, in order.
    pub pictures: Vec<(Place, usize)>,
    /// The folders of the training and of the test images, as they are called; the same where test images are held out.
    pub folders: (String, String),
    /// Class folders that are there, whatever they hold.
    pub classes: BTreeSet<(bool, String)>,
    /// Test images are held out of the training images.
    pub holds_out: bool,
    pub reading: Reading,
}

pub(super) fn split_name(part: &str) -> Option<Split> {
    NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(part)).map(|(_, split)| *split)
}

/// Whether a part of a path is one that is passed over without a word: hidden files, and what systems leave in folders.
pub(super) fn is_hidden(part: &str) -> bool {
    part.starts_with('.')
        || ["__MACOSX", "Thumbs.db", "desktop.ini"].iter().any(|name| name.eq_ignore_ascii_case(part))
}

/// Folders of one level.
struct Level<'a> {
    folders: BTreeSet<&'a str>,
}

impl<'a> Level<'a> {
    /// The folders within the folder whose path has the parts `of`.
    fn of(members: &'a [Member], of: &[&str]) -> Self {
        let folders = members.iter().filter_map(|member| {
            let parts: Vec<&str> = member.name.split('/').collect();
            let name = *parts.get(of.len())?;
            let is_folder = parts.len() > of.len() + 1 || member.what == What::Folder;
            (parts.starts_with(of) && is_folder && !parts.iter().any(|part| is_hidden(part))).then_some(name)
        });
        Level { folders: folders.collect() }
    }

    fn has_train(&self) -> bool {
        self.folders.iter().any(|name| split_name(name) == Some(Split::Train))
    }

    /// The folders as a list for a message.
    fn named(&self) -> String {
        const LISTED: usize = 6;
        let list: Vec<String> = self.folders.iter().take(LISTED).map(|name| format!("`{name}/`")).collect();
        match self.folders.len().saturating_sub(LISTED) {
            0 => list.join(", "),
            more => format!("{} and {} more", list.join(", "), thousands(more as u64)),
        }
    }
}

/// Finds the images among the members of a folder or archive; `test` says that test images are to be held out.
///
/// # Errors
/// No such layout, with the folders that there are and the remedy.
pub(super) fn plan(path: &Path, members: &[Member], test: bool) -> Result<Plan> {
    let wrong = |what: String| Error::request(format!("{}: {what}", path.display()));
    let top = Level::of(members, &[]);
    let tops: Vec<Vec<&str>> = if top.has_train() {
        vec![Vec::new()]
    } else {
        with_train(members).into_iter().map(|name| vec![name]).collect()
    };
    match &tops[..] {
        [] => unsplit(path, members, test),
        [top] => split(path, members, top, test),
        [one, other, ..] => Err(wrong(format!(
            "holds more than one data set (`{}/` and `{}/`): give one of them",
            one.join("/"),
            other.join("/")
        ))),
    }
}

/// Folders of the top level that have one for training images.
fn with_train(members: &[Member]) -> BTreeSet<&str> {
    let tops = members.iter().filter_map(|member| {
        let (top, rest) = member.name.split_once('/')?;
        let (name, is_folder) = match rest.split_once('/') {
            Some((name, _)) => (name, true),
            None => (rest, member.what == What::Folder),
        };
        (is_folder && split_name(name) == Some(Split::Train) && !is_hidden(top)).then_some(top)
    });
    tops.collect()
}

/// Of a folder that has one for training images.
fn split(path: &Path, members: &[Member], top: &[&str], test: bool) -> Result<Plan> {
    let wrong = |what: String| Error::request(format!("{}: {what}", path.display()));
    let level = Level::of(members, top);
    let mut named: BTreeMap<Split, &str> = BTreeMap::new();
    for &name in &level.folders {
        let Some(split) = split_name(name) else { continue };
        if let Some(other) = named.insert(split, name) {
            return Err(wrong(format!(
                "holds both `{other}/` and `{name}/`, which are the same split: keep one of them"
            )));
        }
    }
    // It is there, or `top` were not.
    let train = named.get(&Split::Train).copied().unwrap_or("train");
    let held_out = match (named.get(&Split::Test).or(named.get(&Split::Validation)), test) {
        (Some(name), true) => {
            return Err(wrong(format!(
                "data.test holds test images out of folders that have none, and here is `{name}/`: leave data.test out"
            )));
        }
        (Some(name), false) => *name,
        (None, true) => train,
        (None, false) => {
            return Err(wrong(format!(
                "holds no PNG, JPEG, WebP or BMP image in test/<class>/ or val/<class>/ (its folders: {}): rename the folder \
                 of the test images to test/, or set data.test: 0.2 to hold a fifth of each class of `{train}/` out",
                level.named()
            )));
        }
    };
    let mut plan = Plan::new((train, held_out));
    if let (Some(test), Some(unread)) = (named.get(&Split::Test), named.get(&Split::Validation)) {
        plan.reading.notes.push(format!(
            "test images are those of {test}/; {unread}/ is not read, validation images are held out of {train}/"
        ));
    }
    let depth = top.len();
    plan.fill(path, members, |parts| {
        let name = *parts.get(depth).filter(|_| parts.starts_with(top))?;
        let is_read = name == train || name == held_out;
        is_read.then_some((name != train, depth + 1))
    })?;
    Ok(plan)
}

/// Of a folder that has none: of class folders, or of folders with other names.
fn unsplit(path: &Path, members: &[Member], test: bool) -> Result<Plan> {
    let wrong = |what: String| Error::request(format!("{}: {what}", path.display()));
    // Archives often have one folder around all.
    let mut top: Vec<&str> = Vec::new();
    let mut level = Level::of(members, &top);
    while let [only] = level.folders.iter().copied().collect::<Vec<_>>()[..] {
        let mut below = top.clone();
        below.push(only);
        let next = Level::of(members, &below);
        if next.folders.is_empty() || split_name(only).is_some() {
            break;
        }
        (top, level) = (below, next);
    }
    if test {
        let mut plan = Plan::new(("<class>", "<class>"));
        let depth = top.len();
        plan.fill(path, members, |parts| parts.starts_with(&top).then_some((false, depth)))?;
        return Ok(plan);
    }
    let looks_split = |name: &&str| {
        let lower = name.to_lowercase();
        ["train", "test", "val", "eval", "dev"]
            .iter()
            .any(|part| lower.starts_with(part) || lower.ends_with(part))
    };
    Err(wrong(if level.folders.iter().any(looks_split) {
        format!(
            "holds no folder of training images that is known (its folders: {}): name the folders train/ and test/ (or val/)",
            level.named()
        )
    } else if level.folders.len() > 1 {
        format!(
            "holds no train/ and test/, but folders such as classes have ({}): set data.test: 0.2 to hold a fifth of each \
             class out as test images, or sort the images into train/<class>/ and test/<class>/",
            level.named()
        )
    } else {
        format!("holds no PNG, JPEG, WebP or BMP image in train/<class>/: {HOW_TO_GET}")
    }))
}

impl Plan {
    fn new((train, test): (&str, &str)) -> Self {
        Plan {
            pictures: Vec::new(),
            folders: (train.to_owned(), test.to_owned()),
            classes: BTreeSet::new(),
            holds_out: train == test,
            reading: Reading::default(),
        }
    }

    /// Takes in every member of the splits; `split` tells of the parts of a path whether it is a test image, and at which
    /// part its class is.
    fn fill(
        &mut self,
        path: &Path,
        members: &[Member],
        split: impl Fn(&[&str]) -> Option<(bool, usize)>,
    ) -> Result<()> {
        let by_name: BTreeMap<&str, usize> = match members.iter().any(|m| matches!(m.what, What::Link(_))) {
            true => members.iter().enumerate().map(|(at, member)| (member.name.as_str(), at)).collect(),
            false => BTreeMap::new(),
        };
        for (at, member) in members.iter().enumerate() {
            let parts: Vec<&str> = member.name.split('/').collect();
            let Some((is_test, class)) = split(&parts) else { continue };
            if parts.iter().any(|part| is_hidden(part)) || parts.len() <= class {
                continue;
            }
            let is_folder = member.what == What::Folder;
            if parts.len() == class + 1 && !is_folder {
                self.reading.pass_over("file outside the class folders");
                continue;
            }
            let place = Place { is_test, class: parts[class].to_owned(), name: member.name.clone() };
            self.classes.insert((is_test, place.class.clone()));
            match followed(members, &by_name, at) {
                Some((of, What::Folder)) if of != at => self.reading.pass_over("link to a folder"),
                Some((_, What::Folder)) => {}
                Some((_, What::File(0))) => self.reading.pass_over("empty file"),
                Some((of, What::File(_))) => self.pictures.push((place, of)),
                Some((_, What::Special(kind))) => self.reading.pass_over(*kind),
                Some((_, What::Sealed(how))) => {
                    return Err(Error::request(format!(
                        "{}: {} is {how}, which is not read: unpack the archive and give the folder",
                        path.display(),
                        member.name
                    )));
                }
                Some((_, What::Link(_))) | None => self.reading.pass_over("link to no file of the archive"),
            }
        }
        self.pictures.sort();
        Ok(())
    }

    /// Class names, sorted, where so many images of each split and class were read; training and test images must have the
    /// same.
    ///
    /// # Errors
    /// A class without images, with its folder.
    pub fn class_names(&self, path: &Path, places: &[Place]) -> Result<Vec<String>> {
        let wrong = |what: String| Error::request(format!("{}: {what}", path.display()));
        let has: BTreeSet<(bool, &str)> =
            places.iter().map(|place| (place.is_test, place.class.as_str())).collect();
        let (train, test) = (&self.folders.0, &self.folders.1);
        let splits: &[(bool, &str)] =
            if self.holds_out { &[(false, train)] } else { &[(false, train), (true, test)] };
        for &(is_test, folder) in splits {
            if !has.iter().any(|(of, _)| *of == is_test) {
                let within =
                    if self.holds_out && folder == "<class>" { String::new() } else { format!("{folder}/") };
                return Err(wrong(format!(
                    "holds no PNG, JPEG, WebP or BMP image in {within}<class>/: {HOW_TO_GET}"
                )));
            }
        }
        let folder = |is_test: bool| if is_test { test } else { train };
        for (is_test, class) in &self.classes {
            if has.contains(&(*is_test, class)) {
                continue;
            }
            let here = folder(*is_test).replace("<class>", "");
            let here = if here.is_empty() { here } else { format!("{here}/") };
            let not_read = match self.reading.passed_over_sentence() {
                Some(sentence) => format!(" ({sentence})"),
                None => String::new(),
            };
            return Err(wrong(format!(
                "class folder `{here}{class}/` has no image that is read{not_read}: put images there, or take the folder away"
            )));
        }
        for &(is_test, class) in &has {
            if !self.holds_out && !has.contains(&(!is_test, class)) {
                return Err(wrong(format!(
                    "class `{class}` has images in {}/ and none in {}/: both must have the same classes",
                    folder(is_test),
                    folder(!is_test)
                )));
            }
        }
        let names: BTreeSet<&str> = has.iter().map(|(_, class)| *class).collect();
        if names.len() < 2 || names.len() > usize::from(u16::MAX) + 1 {
            return Err(wrong(format!(
                "{} class folders in {train}/, where there must be 2 to 65536",
                names.len()
            )));
        }
        Ok(names.into_iter().map(str::to_owned).collect())
    }
}

/// The member that a member is, through links.
fn followed<'a>(
    members: &'a [Member],
    by_name: &BTreeMap<&str, usize>,
    mut at: usize,
) -> Option<(usize, &'a What)> {
    for _ in 0..=LINKS {
        match &members[at].what {
            What::Link(target) => at = *by_name.get(target.as_str())?,
            what => return Some((at, what)),
        }
    }
    None
}
