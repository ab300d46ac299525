/** What `info` and `version` show of the machine. */
export interface MachineFacts {
	readonly kernelVersion: string;
	/** `Debian GNU/Linux 12 (bookworm)` */
	readonly operatingSystem: string;
	readonly osVersion: string;
	/** `x86_64` */
	readonly machine: string;
	readonly memoryBytes: number;
	readonly cpuCount: number;
	readonly ipv4Forwarding: boolean;
	readonly bridgeNetfilterIpv4: boolean;
	readonly bridgeNetfilterIpv6: boolean;
}
