/** Which rule of the database refused a statement, however it was made; undefined for any other error. */
export function constraintOf(error: unknown): string | undefined {
  const { constraint_name, cause } = error as { constraint_name?: string; cause?: { constraint_name?: string } };
  return constraint_name ?? cause?.constraint_name;
}
