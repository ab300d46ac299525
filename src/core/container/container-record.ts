import type { ContainerConfig, EndpointSettings, HealthcheckResult, HostConfig } from "../../api/engine/container.ts";
import type { Digest } from "../../base/digest.ts";
import type { PortMapping } from "../network/driver.ts";
import type { IdMap } from "./id-map.ts";
import type { ContainerLifecycle } from "./state.ts";

/** A mount as it was settled at create: sources exist or are named, options are parsed. Immutable afterwards. */
export interface ContainerMount {
	readonly type: "bind" | "volume" | "tmpfs" | "image";
	/** Host path of a bind, volume name of a volume, image reference of an image mount, empty for tmpfs. */
	readonly source: string;
	/** Clean absolute path in the container. */
	readonly target: string;
	readonly readOnly: boolean;
	/** A host path that may be missing and is made at start (`-v /host:/c`); `--mount type=bind` wants it there. */
	readonly createSource: boolean;
	readonly recursive: boolean;
	readonly readOnlyRecursive: "if-possible" | "never" | "always";
	readonly propagation: "" | "private" | "rprivate" | "shared" | "rshared" | "slave" | "rslave";
	/** Nobody asked for that propagation: where the host's mount cannot give it, it is left out. */
	readonly impliedPropagation?: true;
	/** The mode string as given (`ro,z`), shown by inspect. */
	readonly mode: string;
	readonly volume?: {
		/** As it was asked for: empty for whichever driver has a volume of that name, else `local`. */
		readonly driver: string;
		readonly anonymous: boolean;
		/** Fill a fresh volume from the image's directory. */
		readonly copy: boolean;
		readonly subpath: string;
	};
	/** Of a bind or a volume. */
	readonly idMap?: IdMap;
	readonly tmpfs?: { readonly options: readonly string[] };
	/** Of an image mount. `id` and `chainId` are settled at create: the mount outlives the image's names. */
	readonly image?: { readonly subpath: string; readonly id?: Digest; readonly chainId?: Digest };
	/** Where it came from, in Docker's order of precedence. */
	readonly origin: "binds" | "mounts" | "tmpfs" | "volumes-from" | "image";
}

/** Place on one network: what was asked, and what was given while it runs (absent otherwise). */
export interface ContainerEndpoint {
	readonly requested: EndpointSettings;
	readonly assigned?: {
		readonly networkId: string;
		readonly endpointId: string;
		/** Name of the interface in the container; absent in records of earlier versions, which had `eth0` alone. */
		readonly interfaceName?: string;
		/** Without prefix length; empty without IPv4. */
		readonly address: string;
		readonly prefixLength: number;
		readonly gateway: string;
		readonly address6?: string;
		readonly prefixLength6?: number;
		readonly gateway6?: string;
		readonly macAddress: string;
	};
}

export interface ContainerHealth {
	readonly status: "starting" | "healthy" | "unhealthy";
	readonly failingStreak: number;
	/** The last five results. */
	readonly log: readonly HealthcheckResult[];
}

/** What `mappings` has already, or has no longer, while monitor and firewall are still being told. */
export interface PortChange {
	readonly added: readonly PortMapping[];
	readonly removed: readonly PortMapping[];
}

/** The stored truth about one container. Replaced as a whole at each change; `version` counts the changes. */
export interface ContainerRecord {
	/** 64 hexadecimal digits. Immutable. */
	readonly id: string;
	readonly version: number;
	/** Without the leading slash. Unique. */
	readonly name: string;
	/** Milliseconds since the epoch. Immutable. */
	readonly createdAt: number;
	readonly imageId: Digest;
	/** As the user named it; may be an ID. */
	readonly imageReference: string;
	/** Merged with the image's configuration. Immutable but for what `update` changes. */
	readonly config: ContainerConfig;
	/** Normalised: every default filled in. */
	readonly hostConfig: HostConfig;
	readonly mounts: readonly ContainerMount[];
	/** By network name. */
	readonly endpoints: Readonly<Record<string, ContainerEndpoint>>;
	/** Host ports in use while it runs; settled anew at each start. */
	readonly mappings: readonly PortMapping[];
	/** A change of the ports of a running container that is under way: a crash in between is made good from it. */
	readonly portChange?: PortChange | null;
	readonly lifecycle: ContainerLifecycle;
	/** What the user last asked for; `always` restarts it at daemon start unless it was stopped by hand. */
	readonly stoppedByUser: boolean;
	readonly restartCount: number;
	readonly health?: ContainerHealth;
	/** The process's own OCI runtime, by name in the daemon's configuration. */
	readonly runtime: string;
	readonly platform: string;
	/** Current log file of the json-file and local drivers, empty for none. */
	readonly logPath: string;
}
