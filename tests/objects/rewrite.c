/* Changes packets and their surroundings: swaps the addresses, counts down the time to live, marks. */
#include "bpf.h"

static NOINLINE void swap(u8 *a, u8 *b)
{
	for (int i = 0; i < 6; i++) {
		u8 x = a[i];

		a[i] = b[i];
		b[i] = x;
	}
}

SEC("classifier")
int rewrite(struct sk_buff *skb)
{
	struct eth *eth = START(skb);
	struct ip *ip = (void *)(eth + 1);

	if ((void *)(eth + 1) > END(skb))
		return TC_SHOT;
	swap(eth->to, eth->from);
	skb->mark = skb->len * 3;
	skb->cb[2] = skb->mark + 1;
	if ((void *)(ip + 1) > END(skb) || eth->type != BE16(0x0800))
		return skb->cb[2];
	if (ip->ttl-- == 0)
		return TC_SHOT;
	ip->checksum += BE16(0x100);
	return TC_OK;
}
