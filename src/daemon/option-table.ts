/**
 * Every flag of the daemon and every key of its configuration file, once. Both spellings of an option have one row; where
 * their names differ (`--host`, `hosts`) the row has both.
 */
export type OptionKind =
	| "text"
	| "boolean"
	| "integer"
	/** `64m`, `1g`; a number of bytes in the file, too. */
	| "bytes"
	/** Repeatable flag, list in the file. */
	| "list"
	/** Repeatable `key=value` flag, object of texts in the file. */
	| "map"
	/** Repeatable `name=key=value` flag, object of objects of texts in the file. */
	| "maps"
	/** `name=soft:hard`; in the file `{"nofile": {"Name": …, "Soft": …, "Hard": …}}`. */
	| "ulimits"
	/** `base=10.0.0.0/8,size=24`; in the file `[{"base": …, "size": …}]`. */
	| "pools"
	/** `name=path`; in the file `{"name": {"path": …, "runtimeArgs": […]}}`. */
	| "runtimes"
	/** Only in the file: an object that is passed on as it is. */
	| "object";

export interface OptionRow {
	readonly flag?: string;
	readonly short?: string;
	readonly key?: string;
	readonly kind: OptionKind;
	readonly help: string;
	/** Why a value that asks for something is refused. */
	readonly refused?: string;
	/** It is read and kept, but nothing acts on it yet; the daemon says so at start. */
	readonly idle?: true;
}

const NOT_YET = "is not available yet";
const OTHER_ENGINE = "belongs to an engine built on containerd";

export const OPTIONS = [
	{ flag: "add-runtime", key: "runtimes", kind: "runtimes", help: "Register an additional OCI compatible runtime" },
	{
		flag: "allow-direct-routing",
		key: "allow-direct-routing",
		kind: "boolean",
		help: "Let other hosts reach published ports on container addresses",
	},
	{
		flag: "allow-insecure-tcp",
		key: "allow-insecure-tcp",
		kind: "boolean",
		help: "Serve TCP without client certificates: whoever reaches the port is root on this machine",
	},
	{
		flag: "authorization-plugin",
		key: "authorization-plugins",
		kind: "list",
		help: "Authorization plugins to load",
		refused: NOT_YET,
	},
	{ flag: "bip", key: "bip", kind: "text", help: "IPv4 address of the default bridge, CIDR form" },
	{ flag: "bip6", key: "bip6", kind: "text", help: "IPv6 address of the default bridge, CIDR form" },
	{
		flag: "bridge",
		short: "b",
		key: "bridge",
		kind: "text",
		help: 'Name of the default bridge; "none" for no default bridge',
	},
	{ key: "builder", kind: "object", help: "Build cache policy" },
	{ flag: "cdi-spec-dir", key: "cdi-spec-dirs", kind: "list", help: "Folders of CDI specifications", refused: NOT_YET },
	{ flag: "cgroup-parent", key: "cgroup-parent", kind: "text", help: "Parent cgroup of all containers" },
	{ flag: "config-file", kind: "text", help: "Daemon configuration file" },
	{ flag: "containerd", key: "containerd", kind: "text", help: "containerd address", refused: OTHER_ENGINE },
	{
		flag: "containerd-namespace",
		key: "containerd-namespace",
		kind: "text",
		help: "containerd namespace",
		refused: OTHER_ENGINE,
	},
	{
		flag: "containerd-plugins-namespace",
		key: "containerd-plugin-namespace",
		kind: "text",
		help: "containerd namespace of plugins",
		refused: OTHER_ENGINE,
	},
	{
		flag: "cpu-rt-period",
		key: "cpu-rt-period",
		kind: "integer",
		help: "CPU real-time period of the parent cgroup",
		refused: NOT_YET,
	},
	{
		flag: "cpu-rt-runtime",
		key: "cpu-rt-runtime",
		kind: "integer",
		help: "CPU real-time runtime of the parent cgroup",
		refused: NOT_YET,
	},
	{
		flag: "cri-containerd",
		key: "cri-containerd",
		kind: "boolean",
		help: "Start containerd with CRI",
		refused: OTHER_ENGINE,
	},
	{ flag: "data-root", key: "data-root", kind: "text", help: "Folder of everything that lasts" },
	{ flag: "debug", short: "D", key: "debug", kind: "boolean", help: "Log at debug level" },
	{
		flag: "default-address-pool",
		key: "default-address-pools",
		kind: "pools",
		help: "Address pools of local networks (base=<cidr>,size=<bits>)",
	},
	{
		flag: "default-cgroupns-mode",
		key: "default-cgroupns-mode",
		kind: "text",
		help: 'Cgroup namespace of containers ("host" | "private")',
	},
	{
		flag: "default-gateway",
		key: "default-gateway",
		kind: "text",
		help: "IPv4 gateway of containers on the default bridge",
	},
	{
		flag: "default-gateway-v6",
		key: "default-gateway-v6",
		kind: "text",
		help: "IPv6 gateway of containers on the default bridge",
	},
	{
		flag: "default-ipc-mode",
		key: "default-ipc-mode",
		kind: "text",
		help: 'IPC namespace of containers ("shareable" | "private")',
	},
	{
		flag: "default-network-opt",
		key: "default-network-opts",
		kind: "maps",
		help: "Options of new networks that do not say otherwise (driver=key=value)",
	},
	{ flag: "default-runtime", key: "default-runtime", kind: "text", help: "OCI runtime of containers that name none" },
	{ flag: "default-shm-size", key: "default-shm-size", kind: "bytes", help: "Size of /dev/shm" },
	{
		flag: "default-stop-timeout",
		key: "default-stop-timeout",
		kind: "integer",
		help: "Seconds between the stop signal and SIGKILL",
		idle: true,
	},
	{ flag: "default-ulimit", key: "default-ulimits", kind: "ulimits", help: "Ulimits of containers" },
	{ flag: "dns", key: "dns", kind: "list", help: "DNS servers of containers" },
	{ flag: "dns-opt", key: "dns-opts", kind: "list", help: "DNS options of containers" },
	{ flag: "dns-search", key: "dns-search", kind: "list", help: "DNS search domains of containers" },
	{ flag: "exec-opt", key: "exec-opts", kind: "list", help: "Runtime execution options" },
	{ flag: "exec-root", key: "exec-root", kind: "text", help: "Folder of run-time state; on a tmpfs" },
	{ flag: "experimental", key: "experimental", kind: "boolean", help: "Enable experimental features" },
	{ flag: "feature", key: "features", kind: "object", help: "Features to switch on or off", idle: true },
	{
		flag: "firewall-backend",
		key: "firewall-backend",
		kind: "text",
		help: 'Firewall backend; "nftables" is the one there is',
	},
	{ flag: "fixed-cidr", key: "fixed-cidr", kind: "text", help: "IPv4 range of containers on the default bridge" },
	{
		flag: "fixed-cidr-v6",
		key: "fixed-cidr-v6",
		kind: "text",
		help: "IPv6 range of containers on the default bridge; its subnet without --bip6",
	},
	{ key: "gc", kind: "object", help: "Disk budget of images and build cache" },
	{ flag: "group", short: "G", key: "group", kind: "text", help: "Group of the unix socket" },
	{ flag: "help", short: "h", kind: "boolean", help: "Print usage" },
	{
		flag: "host",
		short: "H",
		key: "hosts",
		kind: "list",
		help: "Where to listen: unix://PATH, tcp://HOST:PORT, fd://",
	},
	{
		flag: "host-dns",
		key: "host-dns",
		kind: "boolean",
		help: "Answer the host's questions for NAME.gantry.internal with addresses of containers",
	},
	{
		flag: "host-dns-address",
		key: "host-dns-address",
		kind: "text",
		help: "Loopback address to answer them at, port 53 (default 127.0.0.111)",
	},
	{
		flag: "host-dns-resolv-conf",
		key: "host-dns-resolv-conf",
		kind: "boolean",
		help: "Stand first in the host's /etc/resolv.conf while the daemon runs",
	},
	{ flag: "host-gateway-ip", key: "host-gateway-ips", kind: "list", help: "Addresses that host-gateway stands for" },
	{ flag: "http-proxy", key: "http-proxy", kind: "text", help: "Proxy for outgoing HTTP" },
	{ flag: "https-proxy", key: "https-proxy", kind: "text", help: "Proxy for outgoing HTTPS" },
	{ flag: "icc", key: "icc", kind: "boolean", help: "Let containers of the default bridge talk to one another" },
	{ flag: "init", key: "init", kind: "boolean", help: "Run an init process in containers" },
	{ flag: "init-path", key: "init-path", kind: "text", help: "Path of the init program" },
	{
		flag: "input-firewall",
		key: "input-firewall",
		kind: "boolean",
		help: "Let the host's own input firewall decide about published ports (default true)",
	},
	{
		flag: "insecure-registry",
		key: "insecure-registries",
		kind: "list",
		help: "Registries to reach without TLS",
	},
	{ flag: "ip", key: "ip", kind: "text", help: "Host address of published ports that name none" },
	{ flag: "ip-forward", key: "ip-forward", kind: "boolean", help: "Switch IP forwarding on" },
	{
		flag: "ip-forward-no-drop",
		key: "ip-forward-no-drop",
		kind: "boolean",
		help: "Leave the host's own forward policy alone (always so)",
	},
	{ flag: "ip-masq", key: "ip-masq", kind: "boolean", help: "Masquerade the default bridge's traffic" },
	{ flag: "ip6tables", key: "ip6tables", kind: "boolean", help: "Write IPv6 firewall rules" },
	{ flag: "iptables", key: "iptables", kind: "boolean", help: "Write firewall rules (nftables)" },
	{ flag: "ipv6", key: "ipv6", kind: "boolean", help: "IPv6 on the default bridge" },
	{ flag: "label", key: "labels", kind: "list", help: "Labels of the daemon (key=value)" },
	{
		flag: "live-restore",
		key: "live-restore",
		kind: "boolean",
		help: "Containers live on without the daemon (always so)",
	},
	{ flag: "log-driver", key: "log-driver", kind: "text", help: "Log driver of containers that name none" },
	{ flag: "log-format", key: "log-format", kind: "text", help: 'Form of the daemon\'s own log ("text" | "json")' },
	{
		flag: "log-level",
		short: "l",
		key: "log-level",
		kind: "text",
		help: 'Level of the daemon\'s own log ("trace" | "debug" | "info" | "warn" | "error" | "fatal")',
	},
	{ flag: "log-opt", key: "log-opts", kind: "map", help: "Options of the default log driver" },
	{
		flag: "max-concurrent-downloads",
		key: "max-concurrent-downloads",
		kind: "integer",
		help: "Layers to download at once",
	},
	{
		flag: "max-concurrent-uploads",
		key: "max-concurrent-uploads",
		kind: "integer",
		help: "Layers to upload at once",
	},
	{
		flag: "max-download-attempts",
		key: "max-download-attempts",
		kind: "integer",
		help: "Attempts at each download",
	},
	{ flag: "metrics-addr", key: "metrics-addr", kind: "text", help: "Address to serve metrics on", refused: NOT_YET },
	{ flag: "min-api-version", key: "min-api-version", kind: "text", help: "Oldest API version to serve" },
	{ flag: "mtu", key: "mtu", kind: "integer", help: "MTU of the default bridge" },
	{
		flag: "network-control-plane-mtu",
		key: "network-control-plane-mtu",
		kind: "integer",
		help: "MTU of the swarm control plane",
		idle: true,
	},
	{ key: "network-diagnostic-port", kind: "integer", help: "Port of the network diagnostics", refused: NOT_YET },
	{
		flag: "no-new-privileges",
		key: "no-new-privileges",
		kind: "boolean",
		help: "Set no-new-privileges for containers",
	},
	{ flag: "no-proxy", key: "no-proxy", kind: "text", help: "Hosts to reach without proxy" },
	{
		flag: "node-generic-resource",
		key: "node-generic-resources",
		kind: "list",
		help: "Resources to advertise in a swarm",
		idle: true,
	},
	{ key: "nri-opts", kind: "object", help: "Node resource interface", refused: NOT_YET },
	{ flag: "pidfile", short: "p", key: "pidfile", kind: "text", help: "File with the daemon's process ID" },
	{ key: "proxies", kind: "object", help: "Proxies for outgoing traffic" },
	{ flag: "raw-logs", key: "raw-logs", kind: "boolean", help: "Log without colours (always so)" },
	{
		flag: "registry-config-directory",
		key: "registry-config-directory",
		kind: "text",
		help: "Directory with a folder for each registry: hosts.toml, certificates",
	},
	{ flag: "registry-mirror", key: "registry-mirrors", kind: "list", help: "Registry mirrors" },
	{ key: "resolv-conf", kind: "text", help: "resolv.conf that containers' own ones are made from", refused: NOT_YET },
	{ flag: "rootless", key: "rootless", kind: "boolean", help: "Run without root", refused: NOT_YET },
	{
		flag: "seccomp-profile",
		key: "seccomp-profile",
		kind: "text",
		help: 'Seccomp profile: a file, "builtin" or "unconfined"',
	},
	{ flag: "selinux-enabled", key: "selinux-enabled", kind: "boolean", help: "SELinux support", refused: NOT_YET },
	{
		flag: "shutdown-timeout",
		key: "shutdown-timeout",
		kind: "integer",
		help: "Seconds that requests in hand get at shutdown",
	},
	{
		flag: "storage-driver",
		short: "s",
		key: "storage-driver",
		kind: "text",
		help: 'Storage driver ("overlay2" | "vfs")',
	},
	{ flag: "storage-opt", key: "storage-opts", kind: "list", help: "Storage driver options", refused: NOT_YET },
	{
		flag: "swarm-default-advertise-addr",
		key: "swarm-default-advertise-addr",
		kind: "text",
		help: "Address to advertise in a swarm",
		idle: true,
	},
	{ key: "swarm-raft-election-tick", kind: "integer", help: "Raft election tick", idle: true },
	{ key: "swarm-raft-heartbeat-tick", kind: "integer", help: "Raft heartbeat tick", idle: true },
	{ flag: "tls", key: "tls", kind: "boolean", help: "Use TLS; implied by --tlsverify" },
	{ flag: "tlscacert", key: "tlscacert", kind: "text", help: "Trust clients whose certificates this CA signed" },
	{ flag: "tlscert", key: "tlscert", kind: "text", help: "TLS certificate file" },
	{ flag: "tlskey", key: "tlskey", kind: "text", help: "TLS key file" },
	{ flag: "tlsverify", key: "tlsverify", kind: "boolean", help: "Use TLS and verify the client" },
	{
		flag: "userland-proxy",
		key: "userland-proxy",
		kind: "boolean",
		help: "Relay published ports where the firewall cannot",
	},
	{
		flag: "userland-proxy-path",
		key: "userland-proxy-path",
		kind: "text",
		help: "Path of the proxy program",
		refused: "has no meaning here: the relay is part of the monitor",
	},
	{ flag: "userns-remap", key: "userns-remap", kind: "text", help: "User namespace mapping", refused: NOT_YET },
	{ flag: "validate", kind: "boolean", help: "Check the configuration and exit" },
	{ flag: "version", short: "v", kind: "boolean", help: "Print the version and exit" },
] as const satisfies readonly OptionRow[];
