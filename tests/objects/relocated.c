/* What needs the running kernel: a field that may move stays where it is; variables and functions are refused. */
#include "bpf.h"

struct moving {
	u32 len;
	u32 pkt_type;
	u32 mark;
} __attribute__((preserve_access_index));

extern u32 CONFIG_HZ __attribute__((section(".kconfig")));
extern int kernel_function(int x) __attribute__((section(".ksyms")));

SEC("socket")
int moves(struct moving *skb)
{
	return skb->len + skb->mark;
}

SEC("socket")
int configured(struct sk_buff *skb)
{
	return CONFIG_HZ;
}

SEC("socket")
int outside(struct sk_buff *skb)
{
	return kernel_function(skb->len);
}
