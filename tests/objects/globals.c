/* Global variables: set ones, constant ones, zeros, static ones in a function. */
#include "bpf.h"

u32 limit = 3;
static u64 total = 0x1122334455667788;
const volatile u16 ports[4] = { 53, 80, 443, 8080 };
static u32 history[16];
u32 next;
u8 flags[3] = { 1, 0, 2 };

static NOINLINE u32 remember(u32 length)
{
	static u32 longest = 60;

	if (length > longest)
		longest = length;
	history[next++ % 16] = length;
	return longest;
}

SEC("tc")
int measure(struct sk_buff *skb)
{
	u32 longest = remember(skb->len);

	total += skb->len;
	flags[1] = skb->len;
	if (next > limit)
		return TC_SHOT;
	return ports[next & 3] + longest;
}
