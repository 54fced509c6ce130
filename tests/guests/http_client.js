// Sends requests, and gives the status and the text of the answer; what went wrong is thrown.
async function answered(url, options) {
  let response;
  try {
    response = await fetch(url, options);
  } catch (error) {
    throw String(error);
  }
  return `${response.status} ${await response.text()}`;
}

export const fetchText = (url) => answered(url);
export const postText = (url, body) => answered(url, { method: "POST", body });
