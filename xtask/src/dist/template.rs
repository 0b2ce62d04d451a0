//! `{{name}}` in a text, replaced. A name without a value and a value without a name are both mistakes.

/// Fills every `{{name}}` of `text`; the error is a sentence that names the culprit.
pub(super) fn fill(text: &str, values: &[(&str, &str)]) -> Result<String, String> {
    let mut filled = String::with_capacity(text.len());
    let mut used = vec![false; values.len()];
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").ok_or("a {{ has no }} after it")?;
        let index = values
            .iter()
            .position(|(known, _)| *known == name)
            .ok_or_else(|| format!("{{{{{name}}}}} is not among the names that dist fills in"))?;
        filled += before;
        filled += values[index].1;
        used[index] = true;
        rest = after;
    }
    filled += rest;
    match used.iter().position(|used| !used) {
        Some(index) => Err(format!("{{{{{}}}}} does not occur in it", values[index].0)),
        None => Ok(filled),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_each_name_wherever_it_stands() {
        assert_eq!(fill("{{a}}-{{b}}{{a}}", &[("a", "1"), ("b", "{{a}}")]).unwrap(), "1-{{a}}1");
        assert_eq!(fill("nothing", &[]).unwrap(), "nothing");
    }

    #[test]
    fn names_what_does_not_fit() {
        assert!(fill("{{a}}", &[]).unwrap_err().contains("{{a}}"));
        assert!(fill("", &[("a", "1")]).unwrap_err().contains("{{a}}"));
        assert!(fill("{{a", &[("a", "1")]).unwrap_err().contains("}}"));
    }
}
