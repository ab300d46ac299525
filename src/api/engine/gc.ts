/** `POST /x-gantry/gc` and `/x-gantry/pins`: additions to Docker's API. */

/** Limits that hold for this one collection instead of the policy's, in the words of daemon.json. */
export interface GcRequest {
	/** Only say what would be removed. */
	DryRun?: boolean | undefined;
	/** `50GB` or `20%`. */
	MaxUsedSpace?: string | undefined;
	MinFreeSpace?: string | undefined;
	/** `168h` */
	UnusedFor?: string | undefined;
}

export interface GcEntry {
	/** `pull`: a layer that an interrupted pull has left for the next one. */
	Kind: "image" | "build-cache" | "pull";
	ID: string;
	Name: string;
	/** RFC 3339. */
	LastUsed: string;
	/** Bytes of everything it holds, shared layers included. */
	Size: number;
	/** Why it goes, or stays. */
	Reason: string;
}

export interface GcResponse {
	DryRun: boolean;
	/** Whether there is any reason to remove something. */
	HasLimits: boolean;
	/** Bytes; absent limits do not hold. */
	MaxUsedSpace?: number;
	MinFreeSpace?: number;
	UnusedForMs?: number;
	/** Bytes of images and build cache before the collection, each layer once. */
	UsedSpace: number;
	/** Of the file system with the data root. */
	AvailableSpace: number;
	TotalSpace: number;
	/** What the limits asked to be freed. */
	WantedSpace: number;
	FreedSpace: number;
	/** In the order of their removal. */
	Removed: (GcEntry & { Freed: number })[];
	/** Those that would go next first. */
	Kept: GcEntry[];
}

/** `GET /x-gantry/pins`, and the answer to `PUT` and `DELETE /x-gantry/pins/{name}`. */
export interface PinsResponse {
	Pins: string[];
}
