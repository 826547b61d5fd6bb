"""The network, its training, and its conversion to TensorFlow Lite with bytes in and bytes out."""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from examples import SEED, SIDE, Examples

__all__ = ["accuracy", "quantised", "trained"]

EPOCHS = 12
BATCH = 128
BEST_RATE = 3e-3  # of learning, at its height


def trained(examples: Examples) -> keras.Model:
    """Return a network that has learned the examples."""
    keras.utils.set_random_seed(SEED)
    tf.config.experimental.enable_op_determinism()
    model = _network()
    steps = EPOCHS * (len(examples.values) // BATCH)
    rate = keras.optimizers.schedules.CosineDecay(
        BEST_RATE / 20, steps, warmup_target=BEST_RATE, warmup_steps=steps // 10
    )
    # Some examples nobody could read: the network is not to be certain of them.
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.03)
    model.compile(optimizer=keras.optimizers.AdamW(rate, weight_decay=1e-3), loss=loss, metrics=["accuracy"])
    data = tf.data.Dataset.from_tensor_slices(
        (examples.tensors, keras.utils.to_categorical(examples.values, 10))
    )
    data = data.shuffle(len(examples.values), seed=SEED).batch(BATCH, drop_remainder=True).prefetch(4)
    model.fit(data, epochs=EPOCHS, verbose=2)
    return model


def _network() -> keras.Model:
    layers = keras.layers
    inputs = keras.Input((SIDE, SIDE, 1), dtype="uint8")
    x = layers.Rescaling(1 / 255)(inputs)
    # While it learns only: the function puts a digit in the middle, but not always its own.
    x = layers.RandomTranslation(0.07, 0.07, fill_mode="constant", seed=SEED)(x)
    x = layers.RandomZoom((-0.1, 0.1), (-0.1, 0.1), fill_mode="constant", seed=SEED)(x)
    for width in (24, 48):
        for _ in range(2):
            x = layers.Conv2D(width, 3, padding="same", use_bias=False)(x)
            x = layers.BatchNormalization()(x)
            x = layers.ReLU()(x)
        x = layers.MaxPooling2D()(x)
        x = layers.SpatialDropout2D(0.1, seed=SEED)(x)
    x = layers.Conv2D(80, 3, use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU()(x)
    x = layers.Flatten()(layers.AveragePooling2D(2)(x))
    x = layers.Dropout(0.3, seed=SEED)(x)
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(x))


def quantised(model: keras.Model, examples: Examples) -> bytes:
    """Return the network as a TensorFlow Lite file, its weights, input and output of eight bits."""

    def representative() -> Iterator[list[npt.NDArray[np.float32]]]:
        for tensor in examples.tensors[:500]:
            yield [tensor[np.newaxis].astype(np.float32)]

    # The converter makes bytes of the floats that come in, and takes no network of bytes.
    floats = keras.Input((SIDE, SIDE, 1), batch_size=1)
    x = floats
    for layer in model.layers[1:]:
        if not isinstance(layer, (keras.layers.RandomTranslation, keras.layers.RandomZoom)):
            x = layer(x)
    converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(floats, x))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = representative
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.uint8
    converter.inference_output_type = tf.uint8
    return bytes(converter.convert())


def accuracy(model: bytes, examples: Examples) -> float:
    """Return the share of the examples that the file reads right, 0 to 1."""
    interpreter = tf.lite.Interpreter(model_content=model)
    interpreter.allocate_tensors()
    (into,), (out,) = interpreter.get_input_details(), interpreter.get_output_details()
    right = 0
    for tensor, value in zip(examples.tensors, examples.values, strict=True):
        interpreter.set_tensor(into["index"], tensor[np.newaxis])
        interpreter.invoke()
        right += int(interpreter.get_tensor(out["index"])[0].argmax() == value)
    return right / len(examples.values)
