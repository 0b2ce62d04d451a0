//! The browser, as far as the page needs it: files, the address, the clipboard.
//!
//! What can fail because of the outside world gives an error in words; what can only fail because the page is
//! broken panics.

use bpf64_core::link::{LinkError, MAX_DOCUMENT};
use js_sys::{Promise, Uint8Array};
use std::rc::Rc;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, Element, Event, File, HtmlAnchorElement, HtmlElement, Response, Url, Window};

/// `www/links.js`.
mod links {
    use super::*;

    #[wasm_bindgen]
    extern "C" {
        #[wasm_bindgen(js_namespace = bpf64)]
        pub(super) fn copy(text: &JsValue) -> Promise;
        #[wasm_bindgen(js_namespace = bpf64)]
        pub(super) fn deflate(bytes: &Uint8Array) -> Promise;
        #[wasm_bindgen(js_namespace = bpf64)]
        pub(super) fn inflate(bytes: &Uint8Array, limit: usize) -> Promise;
    }
}

/// The window.
#[must_use]
pub fn window() -> Window {
    web_sys::window().expect("the page runs in a window")
}

/// The element with this id, which index.html has.
#[must_use]
pub fn element(id: &str) -> Element {
    let document = window().document().expect("a window has a document");
    document.get_element_by_id(id).unwrap_or_else(|| panic!("index.html has #{id}"))
}

/// The bytes of an example's capture: index.html knows where each file lies.
///
/// # Errors
/// A sentence about what could not be fetched.
pub async fn fetch_example(name: &str) -> Result<Rc<[u8]>, String> {
    let failed = |why: String| {
        format!("{name} could not be fetched: {why}. Check the connection and choose the example again.")
    };
    let files = element("files").text_content().unwrap_or_default();
    let files = js_sys::JSON::parse(&files).map_err(|error| failed(text(&error)))?;
    let path = js_sys::Reflect::get(&files, &name.into()).ok().and_then(|path| path.as_string());
    let path = path.ok_or_else(|| failed("the page does not have it".to_owned()))?;
    let response =
        JsFuture::from(window().fetch_with_str(&path)).await.map_err(|error| failed(text(&error)))?;
    let response: Response = response.unchecked_into();
    if !response.ok() {
        return Err(failed(format!("the server answers {}", response.status())));
    }
    let buffer = response.array_buffer().map_err(|error| failed(text(&error)))?;
    let buffer = JsFuture::from(buffer).await.map_err(|error| failed(text(&error)))?;
    Ok(Uint8Array::new(&buffer).to_vec().into())
}

/// The largest file that is opened, in bytes: what a page can hold several times over.
const MAX_FILE: f64 = 256.0 * 1024.0 * 1024.0;

/// The bytes of a file the person chose.
///
/// # Errors
/// A sentence about a file that is too large or cannot be read.
pub async fn read_file(file: &File) -> Result<Rc<[u8]>, String> {
    let name = file.name();
    if file.size() > MAX_FILE {
        return Err(format!("{name} is larger than 256 MiB; cut it with `editcap -c` or `tcpdump -c`."));
    }
    let buffer = JsFuture::from(file.array_buffer()).await;
    let buffer = buffer.map_err(|error| format!("{name} could not be read: {}.", text(&error)))?;
    Ok(Uint8Array::new(&buffer).to_vec().into())
}

/// What an exception says.
fn text(error: &JsValue) -> String {
    String::from(js_sys::Object::from(error.clone()).to_string())
}

/// The fragment of the address, without `#`.
#[must_use]
pub fn fragment() -> String {
    let hash = window().location().hash().unwrap_or_default();
    hash.strip_prefix('#').unwrap_or_default().to_owned()
}

/// The whole address with another fragment.
#[must_use]
pub fn address(fragment: &str) -> String {
    let href = window().location().href().unwrap_or_default();
    let page = href.split('#').next().unwrap_or_default();
    format!("{page}#{fragment}")
}

/// Writes a fragment into the address, without a new entry in the history.
pub fn set_fragment(fragment: &str) {
    // Some browsers refuse when asked too often; the next change is written again.
    let _ = window().history().and_then(|history| {
        history.replace_state_with_url(&JsValue::NULL, "", Some(&format!("#{fragment}")))
    });
}

/// Keeps a text for the next visit, if the browser keeps anything.
pub fn keep(name: &str, text: &str) {
    if let Ok(Some(storage)) = window().local_storage() {
        // Full, or forbidden: then there is nothing next time.
        let _ = storage.set_item(name, text);
    }
}

/// The text that was kept under a name.
#[must_use]
pub fn kept(name: &str) -> Option<String> {
    window().local_storage().ok()??.get_item(name).ok()?
}

/// Tells the style something about the whole page: the colours, or what the tour speaks of.
pub fn set_root(attribute: &str, name: &str) {
    if let Some(root) = window().document().and_then(|document| document.document_element()) {
        // A name without spaces is always taken.
        let _ = root.set_attribute(attribute, name);
    }
}

/// Tells the style how large a pane is, in parts of a thousand.
pub fn set_size(name: &str, size: u16) {
    let root = window().document().and_then(|document| document.document_element());
    if let Some(root) = root.and_then(|root| root.dyn_into::<HtmlElement>().ok()) {
        // A number is always taken.
        let _ = root.style().set_property(&format!("--{name}"), &size.to_string());
    }
}

/// Hands a file to the person, as a download.
pub fn save(name: &str, bytes: &[u8]) {
    let parts = js_sys::Array::of1(&Uint8Array::from(bytes));
    let address =
        Blob::new_with_u8_array_sequence(&parts).and_then(|blob| Url::create_object_url_with_blob(&blob));
    let anchor = window().document().and_then(|document| document.create_element("a").ok());
    if let (Ok(address), Some(Ok(anchor))) = (address, anchor.map(JsCast::dyn_into::<HtmlAnchorElement>)) {
        anchor.set_href(&address);
        anchor.set_download(name);
        anchor.click();
        // The browser has taken it by now.
        let _ = Url::revoke_object_url(&address);
    }
}

/// Puts a text on the clipboard, or what a promise becomes: it is to be called within the click, when the text may still be
/// in the making. False where the browser does not allow it.
pub fn copy(text: &JsValue) -> impl Future<Output = bool> + use<> {
    let copied = links::copy(text);
    async move { JsFuture::from(copied).await.is_ok_and(|copied| copied.is_truthy()) }
}

/// The bytes deflated, without a header.
///
/// # Errors
/// A sentence about a browser that does not do it.
pub async fn deflate(bytes: &[u8]) -> Result<Vec<u8>, String> {
    match JsFuture::from(links::deflate(&bytes.into())).await {
        Ok(deflated) => Ok(Uint8Array::new(&deflated).to_vec()),
        Err(error) => Err(format!("The browser could not make the link: {}.", text(&error))),
    }
}

/// What was deflated for a link, inflated, which stops as soon as it is too much.
///
/// # Errors
/// What is damaged or too large.
pub async fn inflate(deflated: &[u8]) -> Result<Vec<u8>, LinkError> {
    match JsFuture::from(links::inflate(&deflated.into(), MAX_DOCUMENT)).await {
        Ok(inflated) if inflated.is_undefined() => Err(LinkError::TooLarge),
        Ok(inflated) => Ok(Uint8Array::new(&inflated).to_vec()),
        Err(_) => Err(LinkError::Damaged),
    }
}

/// Notes the moment from which the page can be used, for whoever measures.
pub fn mark_interactive() {
    if let Some(performance) = window().performance() {
        let _ = performance.mark("interactive");
    }
}

fn find(selector: &str) -> Option<web_sys::Element> {
    window().document()?.query_selector(selector).ok().flatten()
}

/// Puts the focus on the first element of this selector, if there is one.
pub fn focus(selector: &str) {
    let Some(element) = find(selector) else { return };
    // Fails only for elements that take no focus.
    let _ = match element.dyn_into::<HtmlElement>() {
        Ok(element) => element.focus(),
        Err(element) => element.dyn_into::<web_sys::SvgElement>().map_or(Ok(()), |element| element.focus()),
    };
}

/// Puts the focus on a field and selects what it holds, so that typing replaces it.
pub fn edit(selector: &str) {
    focus(selector);
    if let Some(input) =
        find(selector).and_then(|element| element.dyn_into::<web_sys::HtmlInputElement>().ok())
    {
        input.select();
    }
}

/// Scrolls as little as will bring the first element of this selector into view.
pub fn reveal(selector: &str) {
    if let Some(element) = find(selector) {
        let options = web_sys::ScrollIntoViewOptions::new();
        options.set_block(web_sys::ScrollLogicalPosition::Nearest);
        options.set_inline(web_sys::ScrollLogicalPosition::Nearest);
        element.scroll_into_view_with_scroll_into_view_options(&options);
    }
}

/// Whether the event comes from where text is typed, so that letters are not commands.
#[must_use]
pub fn is_typing(event: &Event) -> bool {
    let target = event.target().and_then(|target| target.dyn_into::<HtmlElement>().ok());
    target.is_some_and(|element| {
        element.is_content_editable()
            || element.closest("[contenteditable=true]").is_ok_and(|found| found.is_some())
            || match element.tag_name().as_str() {
                "TEXTAREA" | "SELECT" => true,
                "INPUT" => {
                    !matches!(element.get_attribute("type").as_deref(), Some("range" | "radio" | "file"))
                }
                _ => false,
            }
    })
}
