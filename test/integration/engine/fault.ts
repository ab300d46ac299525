/** A daemon that dies between any two lines: from the chosen call on, nothing reaches the machine or the disk any more. */
export class DaemonDied extends Error {
	constructor() {
		super("the daemon has died");
	}
}

export class Fault {
	#calls = 0;
	#dead = false;
	readonly #death = Promise.withResolvers<void>();

	/** @param dieAt number of the call that is not made any more, from 1; infinity: none */
	constructor(
		readonly dieAt: number = Number.POSITIVE_INFINITY,
		readonly onCall: (name: string) => void = () => {},
	) {}

	get calls(): number {
		return this.#calls;
	}

	/** Settles with the death. */
	get died(): Promise<void> {
		return this.#death.promise;
	}

	get isDead(): boolean {
		return this.#dead;
	}

	/** The object with every method call counted, and refused after the death. */
	guard<T extends object>(target: T, name: string): T {
		return new Proxy(target, {
			get: (object, property) => {
				const value: unknown = Reflect.get(object, property, object);
				if (typeof value !== "function") return value;
				return (...args: unknown[]) => {
					this.#count(`${name}.${String(property)}`);
					return Reflect.apply(value, object, args);
				};
			},
		});
	}

	#count(name: string): void {
		this.#calls++;
		if (this.#calls >= this.dieAt) {
			this.#dead = true;
			this.#death.resolve();
		}
		if (this.#dead) throw new DaemonDied();
		this.onCall(name);
	}
}
