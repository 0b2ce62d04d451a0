//! What the module does with a seccomp profile: the filter that it becomes on x86-64, for an ordinary container, is a text
//! for the editor.

use crate::Listing;
use bpf64_core::classic::text::{self, Style};
use bpf64_core::diagnostic::Diagnostic;
use bpf64_core::load::{Form, Format, load};

/// The filter of a profile, with what of the profile counts for nothing.
pub(crate) fn listing(bytes: &[u8]) -> Result<Listing, Vec<Diagnostic>> {
    let loaded = load(bytes, &Format::Seccomp.into())?;
    let source = match &loaded.form {
        Form::Classic(program, _) => text::listing(program.insns(), Style::Tcpdump),
        Form::Ebpf(_) => unreachable!("profiles become classic programs"),
    };
    let warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    let remark = (!warnings.is_empty()).then(|| warnings.join("; "));
    Ok(Listing { source, program_type: loaded.program_type.name.to_string(), remark })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_becomes_its_filter() {
        for profile in [
            &include_bytes!("../../tests/profiles/container.json")[..],
            include_bytes!("../../tests/profiles/service.json"),
            include_bytes!("../../tests/profiles/filter.json"),
        ] {
            let found = listing(profile).unwrap();
            assert_eq!(found.program_type, "seccomp");
            let insns = |bytes| match load(bytes, &Default::default()).unwrap().for_seccomp().unwrap().form {
                Form::Classic(program, _) => program.insns().to_vec(),
                Form::Ebpf(_) => panic!(),
            };
            // What the editor is given reads back as the same filter.
            assert_eq!(insns(found.source.as_bytes()), insns(profile));
        }
    }

    #[test]
    fn faults_and_what_counts_for_nothing_are_told() {
        let text = "{\"defaultAction\": \"deny\"}";
        let faults = listing(text.as_bytes()).unwrap_err();
        assert_eq!(&text[faults[0].span.clone()], "\"deny\"");
        let text = r#"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["reed"], "action": "SCMP_ACT_ALLOW"}]}"#;
        let remark = listing(text.as_bytes()).unwrap().remark.unwrap();
        assert!(remark.contains("`reed`"), "{remark}");
    }
}
