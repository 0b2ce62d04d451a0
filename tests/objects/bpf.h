/* What the programs here need of the kernel's interface and of libbpf's macros, written for them. */

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed char s8;
typedef short s16;
typedef int s32;
typedef long long s64;
typedef _Bool bool;

#define SEC(name) __attribute__((section(name), used))
#define NOINLINE __attribute__((noinline))
#define INLINE static inline __attribute__((always_inline))
#define LICENSE(text) char _license[] SEC("license") = text

/* A map's members: numbers are lengths of arrays, types what members point to. */
#define NUMBER(name, value) int(*name)[value]
#define TYPE(name, of) __typeof__(of) *name
#define VALUES(name, of) __typeof__(of) *name[]

enum {
	HASH = 1,
	ARRAY = 2,
	ARRAY_OF_MAPS = 12,
	HASH_OF_MAPS = 13,
	SK_STORAGE = 24,
};

static void *(*map_lookup)(void *map, const void *key) = (void *)1;
static long (*map_update)(void *map, const void *key, const void *value, u64 flags) = (void *)2;
static long (*map_delete)(void *map, const void *key) = (void *)3;
static long (*loop)(u32 times, void *each, void *with, u64 flags) = (void *)181;

struct sk_buff {
	u32 len;
	u32 pkt_type;
	u32 mark;
	u32 queue_mapping;
	u32 protocol;
	u32 vlan_present;
	u32 vlan_tci;
	u32 vlan_proto;
	u32 priority;
	u32 ingress_ifindex;
	u32 ifindex;
	u32 tc_index;
	u32 cb[5];
	u32 hash;
	u32 tc_classid;
	u32 data;
	u32 data_end;
};

struct xdp {
	u32 data;
	u32 data_end;
};

enum { XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_TX };
enum { TC_OK = 0, TC_SHOT = 2 };

struct eth {
	u8 to[6];
	u8 from[6];
	u16 type;
};

struct ip {
	u8 version_and_length;
	u8 tos;
	u16 length;
	u16 id;
	u16 fragment;
	u8 ttl;
	u8 protocol;
	u16 checksum;
	u32 from;
	u32 to;
};

#define BE16(number) ((u16)__builtin_bswap16(number))
#define START(context) ((void *)(long)(context)->data)
#define END(context) ((void *)(long)(context)->data_end)
