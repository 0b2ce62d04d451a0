/* Goes on from program to program, which the tables hold from the start: takes a tag off, counts, looks further. */
#include "net.h"

int untagged(struct sk_buff *skb), counted(struct sk_buff *skb), last(struct sk_buff *skb);

enum { UNTAGGED, NOTHING, COUNTED, STEPS };

struct {
	NUMBER(type, PROG_ARRAY);
	NUMBER(max_entries, STEPS);
	NUMBER(key_size, 4);
	VALUES(values, int(void *));
} steps SEC(".maps") = {
	.values = { [UNTAGGED] = (void *)&untagged, [COUNTED] = (void *)&counted },
};

/* Only those that are gone on to use these. */
struct {
	NUMBER(type, PROG_ARRAY);
	NUMBER(max_entries, 2);
	TYPE(key, u32);
	VALUES(values, int(void *));
} further SEC(".maps") = {
	.values = { [1] = (void *)&last },
};

struct {
	NUMBER(type, HASH);
	NUMBER(max_entries, 16);
	TYPE(key, u16);
	TYPE(value, u32);
} types SEC(".maps");

SEC("tc")
int first(struct sk_buff *skb)
{
	tail_call(skb, &steps, skb->vlan_present ? UNTAGGED : NOTHING);
	tail_call(skb, &steps, COUNTED);
	return TC_SHOT;
}

SEC("tc")
int untagged(struct sk_buff *skb)
{
	skb->mark = skb->vlan_tci;
	tail_call(skb, &steps, COUNTED);
	return TC_SHOT;
}

SEC("tc")
int counted(struct sk_buff *skb)
{
	u16 key = skb->protocol;
	u32 one = 1, *count = map_lookup(&types, &key);

	if (count)
		*count += 1;
	else
		map_update(&types, &key, &one, 0);
	tail_call(skb, &further, skb->len < 100);
	return skb->mark ? 7 : TC_OK;
}

SEC("tc")
int last(struct sk_buff *skb)
{
	return skb->mark + 100;
}

LICENSE("GPL");
