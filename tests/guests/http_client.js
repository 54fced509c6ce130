// Sends one request, and gives the status and the text of the answer; what went wrong is thrown.
export async function fetchText(url) {
  let response;
  try {
    response = await fetch(url);
  } catch (error) {
    throw String(error);
  }
  return `${response.status} ${await response.text()}`;
}
