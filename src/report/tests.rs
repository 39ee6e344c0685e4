use super::synthetic::{candidate, mix, search};
use super::*;

#[test]
#[ignore = "writes pictures to look at, into target/look"]
fn pictures_to_look_at() {
    let folder = Path::new("target/look");
    let mut one = search(1, 0);
    one.epochs = 1;
    let mut long = mix();
    for (i, (c, _)) in long.candidates.iter_mut().enumerate() {
        c.label = format!("{i} a name of sixty characters, which is as long as it may get ok");
    }
    let mut seeds = search(8, 0);
    seeds.seeds = 3;
    let cases = [
        ("mix", mix()),
        ("thirty", search(30, 0)),
        ("thirty-long", search(30, 60)),
        ("many", search(200, 0)),
        ("one", one),
        ("long", long),
        ("seeds", seeds),
    ];
    for (name, study) in cases {
        let files = write(&study.records(), &folder.join(name)).expect("a report");
        println!("{}", files.summary);
    }
    let _ = candidate("x", true, 1, 1);
}
