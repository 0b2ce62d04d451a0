//! The source editor: `www/editor/host.js` seen from Rust.

use crate::levels::Problem;
use serde::Serialize;
use wasm_bindgen::prelude::*;
use web_sys::Element;

#[wasm_bindgen]
extern "C" {
    // Looked up when it is used: the worker runs the same module and has no editor.
    #[wasm_bindgen(js_namespace = bpf64, js_name = Editor)]
    type JsEditor;

    #[wasm_bindgen(constructor, js_namespace = bpf64, js_class = "Editor")]
    fn new(parent: &Element, text: &str, callbacks: &JsValue, plain: bool) -> JsEditor;

    #[wasm_bindgen(method, js_class = "Editor", js_name = setPlain)]
    fn set_plain(this: &JsEditor, plain: bool);

    #[wasm_bindgen(method, js_class = "Editor", js_name = setText)]
    fn set_text(this: &JsEditor, text: &str);

    #[wasm_bindgen(method, js_class = "Editor", js_name = setLanguage)]
    fn set_language(this: &JsEditor, name: &str);

    #[wasm_bindgen(method, js_class = "Editor", js_name = setDiagnostics)]
    fn set_diagnostics(this: &JsEditor, list: JsValue);

    #[wasm_bindgen(method, js_class = "Editor", js_name = setLines)]
    fn set_lines(this: &JsEditor, list: JsValue);

    #[wasm_bindgen(method, js_class = "Editor")]
    fn select(this: &JsEditor, from: usize, to: usize);

    #[wasm_bindgen(method, js_class = "Editor")]
    fn destroy(this: &JsEditor);
}

/// What the editor reports.
#[derive(Debug, Clone, PartialEq)]
pub enum Report {
    /// The person changed the text.
    Changed(String),
    /// The person asked to run.
    Run,
    /// The cursor is in another line, counted from 1.
    Cursor(u32),
    /// The pointer is over a line, or over none: 0.
    Hover(u32),
    /// A breakpoint for this line.
    Breakpoint(u32),
}

/// How a line of the source is marked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LineMark {
    /// The line, counted from 1.
    pub line: u32,
    /// Its hue, as the rows of the listings have it; -1 for none.
    pub hue: i32,
    /// Whether it lights up with its partners.
    pub lit: bool,
    /// Whether execution stands there.
    pub current: bool,
    /// Whether it has a breakpoint.
    pub breakpoint: bool,
}

#[derive(Serialize)]
struct JsProblem {
    from: usize,
    to: usize,
    severity: &'static str,
    message: String,
}

/// An editor in the page; dropping it takes it out.
pub struct Editor {
    editor: JsEditor,
    /// JavaScript holds these as long as the editor lives.
    _callbacks: [Closure<dyn Fn(JsValue)>; 5],
    _describe: Closure<dyn Fn(u32, String, js_sys::Function)>,
}

impl Editor {
    /// Puts an editor with `source` into `parent`, a text area if it is to be plain; what happens in it goes to
    /// `report`. What a word in a line means is asked of `describe`, which tells it sooner or later: sentences, a line each.
    #[must_use]
    pub fn new(
        parent: &Element,
        source: &str,
        plain: bool,
        report: impl Fn(Report) + Clone + 'static,
        describe: impl Fn(u32, String, Box<dyn FnOnce(&str)>) + 'static,
    ) -> Self {
        let number = |value: JsValue| value.as_f64().unwrap_or(0.0) as u32;
        let text = |value: JsValue| value.as_string().unwrap_or_default();
        let object = js_sys::Object::new();
        let callback = |name: &str, make: Box<dyn Fn(JsValue) -> Report>| {
            let report = report.clone();
            let closure = Closure::<dyn Fn(JsValue)>::new(move |value| report(make(value)));
            js_sys::Reflect::set(&object, &name.into(), closure.as_ref())
                .expect_throw("a new object takes properties");
            closure
        };
        let callbacks = [
            callback("changed", Box::new(move |value| Report::Changed(text(value)))),
            callback("run", Box::new(|_| Report::Run)),
            callback("cursor", Box::new(move |value| Report::Cursor(number(value)))),
            callback("hover", Box::new(move |value| Report::Hover(number(value)))),
            callback("breakpoint", Box::new(move |value| Report::Breakpoint(number(value)))),
        ];
        let describe = Closure::<dyn Fn(u32, String, js_sys::Function)>::new(
            move |line, word, tell: js_sys::Function| {
                // Fails only if the editor does, which is told on the console.
                let tell = move |said: &str| drop(tell.call1(&JsValue::NULL, &said.into()));
                describe(line, word, Box::new(tell));
            },
        );
        js_sys::Reflect::set(&object, &"describe".into(), describe.as_ref())
            .expect_throw("a new object takes properties");
        Editor {
            editor: JsEditor::new(parent, source, &object, plain),
            _callbacks: callbacks,
            _describe: describe,
        }
    }

    /// Changes between a text area and the editor.
    pub fn set_plain(&self, plain: bool) {
        self.editor.set_plain(plain);
    }

    /// Replaces the text if it is another.
    pub fn set_text(&self, text: &str) {
        self.editor.set_text(text);
    }

    /// Chooses how the text is coloured.
    pub fn set_language(&self, name: &str) {
        self.editor.set_language(name);
    }

    /// Underlines problems.
    pub fn set_problems(&self, problems: &[Problem]) {
        let list: Vec<JsProblem> = problems
            .iter()
            .map(|problem| JsProblem {
                from: problem.from,
                to: problem.to,
                severity: "error",
                message: problem.sentence(),
            })
            .collect();
        self.editor.set_diagnostics(to_js(&list));
    }

    /// Marks lines; all others are unmarked.
    pub fn set_lines(&self, marks: &[LineMark]) {
        self.editor.set_lines(to_js(&marks));
    }

    /// Selects a range of UTF-16 units and puts the focus there.
    pub fn select(&self, from: usize, to: usize) {
        self.editor.select(from, to);
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        self.editor.destroy();
    }
}

fn to_js(value: &impl Serialize) -> JsValue {
    serde_wasm_bindgen::to_value(value)
        .expect_throw("lists of numbers and strings can be given to JavaScript")
}
