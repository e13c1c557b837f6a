# SPDX-License-Identifier: MIT
"""A small shop: a basket in a signed cookie, a form, a streamed answer and an upload."""
import hashlib
import os

from flask import Flask, Response, redirect, render_template, request, session, url_for

app = Flask(__name__)
app.secret_key = os.environ.get("EXAMPLES_SECRET", "only for examples on your own machine")

GOODS = {"tea": "Tea", "bread": "Bread", "salt": "Salt"}


@app.route("/")
def show_shop():
    return render_template("shop.html", goods=GOODS, basket=session.get("basket", {}))


@app.route("/basket", methods=["POST"])
def put_in_basket():
    item = request.form["item"]
    if item not in GOODS:
        return f"there is no {item}\n", 404, {"Content-Type": "text/plain"}
    basket = session.get("basket", {})
    session["basket"] = {**basket, item: basket.get(item, 0) + 1}
    return redirect(url_for("show_shop"))


@app.route("/stream")
def stream():
    """An answer of unknown length: one line at a time."""
    count = request.args.get("lines", 10, type=int)
    return Response((f"line {n}\n" for n in range(1, count + 1)), mimetype="text/plain")


@app.route("/digest", methods=["POST"])
def digest():
    """Reads a body of any size piece by piece and answers with its length and digest."""
    seen, total = hashlib.sha256(), 0
    while piece := request.stream.read(65536):
        seen.update(piece)
        total += len(piece)
    return {"length": total, "sha256": seen.hexdigest()}
