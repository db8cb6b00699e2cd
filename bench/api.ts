/** Asks a server of this program as its users do. @throws with the errors of the answer */
export async function post<T>(
  url: string,
  text: string,
  variables: object,
  headers: Readonly<Record<string, string>> = {},
): Promise<T> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ query: text, variables }),
  });
  const { data, errors } = (await response.json()) as { data: T; errors?: unknown };
  if (errors !== undefined) throw new Error(JSON.stringify(errors));
  return data;
}

let users = 0;

/** Registers a user. Returns the headers that he is known by, and his global id. */
export async function register(
  url: string,
): Promise<{ readonly headers: Readonly<Record<string, string>>; readonly id: string }> {
  const { register: registered } = await post<{ register: { accessToken: string; user: { id: string } } }>(
    url,
    "mutation ($input: RegisterInput!) { register(input: $input) { accessToken user { id } } }",
    { input: { email: `bench-${++users}@example.com`, password: "wandering copper lighthouse" } },
  );
  return { headers: { authorization: `Bearer ${registered.accessToken}` }, id: registered.user.id };
}
