/** Single durable values of the daemon, such as its ID. Every `set` is one transaction. */
export interface MetaStore {
	get(key: string): string | undefined;
	set(key: string, value: string): void;
}
