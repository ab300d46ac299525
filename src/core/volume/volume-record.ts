/** A named or anonymous volume. */
export interface VolumeRecord {
	readonly name: string;
	/** `local`, or the name of a plugin. Immutable. */
	readonly driver: string;
	/** Driver options: for `local` `type`, `device`, `o`, `size`. Immutable. */
	readonly options: Readonly<Record<string, string>>;
	readonly labels: Readonly<Record<string, string>>;
	/** Milliseconds since the epoch. Immutable. */
	readonly createdAt: number;
	readonly anonymous: boolean;
	/** Its files are still being made, nobody sees it: a daemon that finds it so removes it. */
	readonly making?: true;
	/** It is being renamed: its files may still have this name. */
	readonly formerName?: string;
	/**
	 * Who has a plugin's volume mounted, containers by their IDs. Stored before the plugin is asked, as plugins count; the local
	 * driver counts for itself.
	 */
	readonly holders?: readonly string[];
	/** IDs of containers that are paused while it is copied: a daemon that finds them so resumes them. */
	readonly paused?: readonly string[];
}

export interface VolumeStore {
	list(): VolumeRecord[];
	/** @throws ConflictError when the name is taken. */
	insert(record: VolumeRecord): void;
	/** Replaces the record of that name. @throws NotFoundError */
	update(record: VolumeRecord): void;
	/** Replaces the record `name` by one of another name, at once. @throws NotFoundError, ConflictError when that name is taken */
	rename(name: string, record: VolumeRecord): void;
	delete(name: string): void;
}
