/* Marks packets and puts them into classes: by the codepoint of IPv4, by length, by a table of marks. */
#include "net.h"

struct {
	NUMBER(type, HASH);
	NUMBER(max_entries, 64);
	TYPE(key, u32);
	TYPE(value, u32);
} classes SEC(".maps");

enum { PIPE = 3 };

SEC("tc")
int mark(struct sk_buff *skb)
{
	struct eth *eth = START(skb);
	struct ip *ip = (void *)(eth + 1);

	skb->mark = 1;
	if (!WHOLE(ip, END(skb)) || skb->protocol != BE16(ETH_IP))
		return TC_OK;
	/* The codepoint, and whether it is long. */
	skb->mark = ip->tos >> 2 | (skb->len > 512) << 8;
	skb->priority = ip->tos >> 5;
	return TC_OK;
}

SEC("tc")
int classify(struct sk_buff *skb)
{
	u32 key = skb->protocol, *class = map_lookup(&classes, &key);

	skb->tc_classid = 0x10000 | (skb->len < 128 ? 1 : 2);
	if (class)
		skb->tc_classid = *class;
	skb->cb[0] = skb->tc_classid;
	return skb->cb[0] & 1 ? TC_OK : PIPE;
}

LICENSE("GPL");
