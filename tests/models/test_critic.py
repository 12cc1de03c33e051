import tensorflow as tf

from musae_tf.config import CriticConfig
from musae_tf.models.critic import build_critic


def test_a_critic_without_genres_takes_codes_only():
    critic = build_critic(CriticConfig(units=(8,)), 4, 0)
    assert critic(tf.zeros([5, 4])).shape == (5,)
    assert len(critic.inputs) == 1
