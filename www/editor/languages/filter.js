// pcap filter expressions: `tcp port 22 and ip[6:2] & 0x1fff = 0`.

import { keywordOr, tokenizer } from "./rules.js";

const WORDS = `
  host net mask port portrange proto protochain gateway broadcast multicast less greater type subtype dir
  src dst inbound outbound ifname on rnr rulenum reason action ra ta addr1 addr2 addr3 addr4
  ether fddi tr wlan link ppp slip ip ip6 arp rarp decnet iso tcp udp sctp icmp icmp6 igmp igrp pim vrrp carp ah esp
  vlan mpls pppoed pppoes geneve vxlan llc radio
  and or not len`;

export const filter = tokenizer({
  rules: [
    // Addresses before numbers, which they begin with: hardware, IPv6, IPv4 with parts left out.
    [/[\da-f]{1,2}([:.-][\da-f]{1,2}){5}\b/iy, "number"],
    [/([\da-f]{1,4}:){2,7}[\da-f]{0,4}|([\da-f]{1,4}(:[\da-f]{1,4}){0,7})?::([\da-f]{1,4}(:[\da-f]{1,4}){0,7})?/iy, "number"],
    [/\d+(\.\d+){1,3}\b/y, "number"],
    [/0x[\da-f]+\b|\d+\b/iy, "number"],
    // Names of offsets and values, such as tcp-syn and icmptype.
    [/(tcp|icmp6?|icmp)-[a-z]+\b|(tcpflags|icmp6?type|icmp6?code)\b/iy, "label"],
    [/\\[\w-]+/y, "label"],
    [/[a-z_][\w.-]*/iy, keywordOr(WORDS, null)],
    [/[[\]]/y, "memory"],
  ],
});
