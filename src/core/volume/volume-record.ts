/** A named or anonymous volume of the `local` driver. */
export interface VolumeRecord {
	readonly name: string;
	readonly driver: string;
	/** Driver options: `type`, `device`, `o`, `size`. */
	readonly options: Readonly<Record<string, string>>;
	readonly labels: Readonly<Record<string, string>>;
	/** Milliseconds since the epoch. */
	readonly createdAt: number;
	readonly anonymous: boolean;
}

export interface VolumeStore {
	list(): VolumeRecord[];
	/** @throws ConflictError when the name is taken. */
	insert(record: VolumeRecord): void;
	delete(name: string): void;
}

/** Where volumes' files are. The `local` driver keeps them under the data root; with options it mounts what they say. */
export interface VolumeDriver {
	/** Directory of the volume's files, whether mounted or not. */
	mountpoint(name: string): string;
	/** @throws InvalidParameterError for options the driver does not have; nothing is made. */
	check(record: VolumeRecord): void;
	/** Creates the directory. Idempotent. */
	create(record: VolumeRecord): Promise<void>;
	/** Deletes the files. @throws ConflictError while mounted */
	remove(record: VolumeRecord): Promise<void>;
	/** Makes the files available for a container (mounts option volumes). Counted per `holder`; idempotent per holder. */
	mount(record: VolumeRecord, holder: string): Promise<string>;
	unmount(record: VolumeRecord, holder: string): Promise<void>;
	/** Bytes used. */
	usage(record: VolumeRecord): Promise<number>;
	/** Copies a directory of an image into an empty fresh volume, with owners, modes, xattrs and links kept. */
	populate(record: VolumeRecord, sourceRoot: string, sourcePath: string): Promise<void>;
	/**
	 * After a crash: finishes removals, drops directories that never got a record, unmounts what no container in `mounted` holds.
	 * @param names of all volumes that exist
	 * @returns those of them whose files are gone: their removal was cut short
	 */
	cleanUp(keep: {
		readonly names: ReadonlySet<string>;
		readonly mounted: ReadonlySet<string>;
	}): Promise<readonly string[]>;
}
