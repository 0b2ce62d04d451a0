// Programs as numbers: hexadecimal bytes and `tcpdump -ddd`, and rows of C.

import { tokenizer } from "./rules.js";

export const hex = tokenizer({
  comments: { line: "#" },
  rules: [
    [/^(;|\/\/|#).*/, "comment"],
    [/^(0x|\\x)?[\da-f]+\b/i, "number"],
  ],
});

export const c = tokenizer({
  comments: { line: "//", block: { open: "/*", close: "*/" } },
  rules: [
    [/^\/\/.*/, "comment"],
    [/^(0x[\da-f]+|\d+)[ul]*\b/i, "number"],
    [/^(struct|static|const|unsigned|char|int|long|short|sizeof|u?int(8|16|32|64)_t|__u(8|16|32|64))\b/, "keyword"],
    // The macros and codes of <linux/filter.h>, and seccomp's.
    [/^(BPF|SECCOMP|AUDIT)_\w+/, "memory"],
    [/^[a-z_]\w*/i, "label"],
  ],
});
