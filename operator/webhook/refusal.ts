/** The pod can not be injected as it is. The message goes to the user: it names the field and says what to do. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
}
