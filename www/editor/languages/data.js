// Programs as numbers: hexadecimal bytes and `tcpdump -ddd`, and rows of C.

import { tokenizer } from "./rules.js";

export const hex = tokenizer({
  comments: { line: "#" },
  rules: [
    [/(;|\/\/|#).*/y, "comment"],
    [/(0x|\\x)?[\da-f]+\b/iy, "number"],
  ],
});

export const c = tokenizer({
  comments: { line: "//", block: { open: "/*", close: "*/" } },
  rules: [
    [/\/\/.*/y, "comment"],
    [/(0x[\da-f]+|\d+)[ul]*\b/iy, "number"],
    [/(struct|static|const|unsigned|char|int|long|short|sizeof|u?int(8|16|32|64)_t|__u(8|16|32|64))\b/y, "keyword"],
    // The macros and codes of <linux/filter.h>, and seccomp's.
    [/(BPF|SECCOMP|AUDIT)_\w+/y, "memory"],
    [/[a-z_]\w*/iy, "label"],
  ],
});
