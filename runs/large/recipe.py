import math

from helpers import dtype_policy, load_cifar100, quiet_start

with quiet_start():
    import keras
    from keras import layers

EPOCHS = 5
BATCH_SIZE = 128
VALIDATION_SPLIT = 0.2

x_train, y_train = load_cifar100().train
y_train_one_hot = keras.utils.to_categorical(y_train, num_classes=100)
kept = round(len(x_train) * (1 - VALIDATION_SPLIT))
STEPS = EPOCHS * math.ceil(kept / BATCH_SIZE)

def shift_images():
    return layers.RandomTranslation(
        2.5 / 32, 2.5 / 32, fill_mode="reflect", interpolation="nearest"
    )

def convolution(x, filters, size=3, strides=1, pool=False):
    x = layers.Conv2D(
        filters,
        size,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_constraint=keras.constraints.UnitNorm(axis=[0, 1, 2]),
    )(x)
    if pool:
        x = layers.MaxPooling2D(2)(x)
    x = layers.BatchNormalization(momentum=0.9)(x)
    return layers.ReLU()(x)

def build_large():
    inputs = keras.Input(shape=(32, 32, 3))
    x = layers.RandomFlip("horizontal")(inputs)
    x = shift_images()(x)
    x = layers.Rescaling(1 / 127.5, offset=-1)(x)
    x = convolution(x, 64, size=4, strides=2)
    x = convolution(x, 112, pool=True)
    x = layers.Add()([x, convolution(x, 112)])
    x = convolution(x, 224, pool=True)
    inner = convolution(convolution(x, 224), 224)
    x = layers.Add()([x, inner])
    x = convolution(x, 448)
    x = layers.GlobalMaxPooling2D()(x)
    outputs = layers.Dense(100, activation="softmax", dtype="float32")(
        x
    )
    return keras.Model(inputs, outputs)

class ConvolutionMuon(keras.optimizers.Muon):
    def _should_use_adamw(self, variable):
        return len(variable.shape) != 4

    def zeropower_via_newtonschulz5(self, update, steps):
        matrix = keras.ops.reshape(update, (-1, update.shape[-1]))
        matrix = super().zeropower_via_newtonschulz5(matrix, steps)
        return keras.ops.reshape(matrix, update.shape)

def muon(steps):
    return ConvolutionMuon(
        keras.optimizers.schedules.PolynomialDecay(0.1, steps, 0.001),
        momentum=0.6,
        ns_steps=3,
        rms_rate=None,
        weight_decay=None,
        adam_weight_decay=None,
        adam_lr_ratio=0.03,
    )

def train_large(
    seed, callbacks, epochs=15, validation_split=VALIDATION_SPLIT
):
    keras.utils.set_random_seed(seed)
    keras.config.set_dtype_policy(dtype_policy())
    model = build_large()
    keras.config.set_dtype_policy("float32")
    images = round(len(x_train) * (1 - validation_split))
    model.compile(
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=0.2),
        optimizer=muon(steps=epochs * math.ceil(images / 500)),
        metrics=["accuracy"],
    )
    history = model.fit(
        x_train,
        y_train_one_hot,
        batch_size=500,
        epochs=epochs,
        validation_split=validation_split,
        callbacks=callbacks,
    )
    return model, history

def refit_large(seed, callbacks):
    return train_large(seed, callbacks, epochs=12, validation_split=0)
