//! A panic inside a trial is that trial's failure, with what it said as the reason.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

thread_local! {
    static CATCHING: Cell<bool> = const { Cell::new(false) };
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `work`; a panic comes back as its message, with the place in the source, and is not printed.
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    keep_messages();
    let outer = CATCHING.replace(true);
    // The caller drops whatever `work` touched when it panicked: the trial ends there.
    let result = catch_unwind(AssertUnwindSafe(work));
    CATCHING.set(outer);
    result.map_err(|payload| {
        let noted = LAST.with(RefCell::take);
        noted.unwrap_or_else(|| message(payload.as_ref()))
    })
}

/// Puts a hook before the program's own that keeps messages of caught panics instead of printing them over the display.
fn keep_messages() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !CATCHING.get() {
                return print(info);
            }
            let place =
                info.location().map_or_else(String::new, |l| format!(" at {}:{}", short(l.file()), l.line()));
            let text = format!("panicked{place}: {}", message(info.payload()));
            LAST.with(|last| *last.borrow_mut() = Some(text));
        }));
    });
}

/// A source file without the folder of cargo's registry on the machine that built the program: `gemm-0.15.5/src/gemm.rs`.
fn short(file: &str) -> &str {
    let in_registry = file.split_once("/registry/src/").and_then(|(_, rest)| rest.split_once('/'));
    in_registry.map_or(file, |(_, rest)| rest)
}

fn message(payload: &(dyn Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "panicked without a message".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_says_what_and_where() {
        let said = caught(|| panic!("out of {}", "reach")).unwrap_err();
        assert!(
            said.starts_with("panicked at src/study/panics.rs:") && said.ends_with(": out of reach"),
            "{said}"
        );
        let gemm = "/home/me/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/gemm-0.15.5/src/gemm.rs";
        assert_eq!(short(gemm), "gemm-0.15.5/src/gemm.rs");
        assert_eq!(short("src/main.rs"), "src/main.rs");
    }
}
