const form = document.getElementById("newsletter");

form.addEventListener("submit", (event) => {
  event.preventDefault();
  form.querySelector(".answer").textContent = "Thank you. The next one leaves with the spring tide.";
  form.reset();
});
