/** Something the user must do before the set-up can go on. Its message is all that is printed. */
export class SetupError extends Error {}
