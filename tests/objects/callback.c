/* The address of a function: bpf_loop calls it. */
#include "bpf.h"

static u64 sum;

static long each(u32 number, u64 *with)
{
	sum += number * *with;
	return number == 40;
}

SEC("tc")
int repeat(struct sk_buff *skb)
{
	u64 with = skb->len;

	return loop(skb->len, each, &with, 0) + sum;
}

LICENSE("GPL");
